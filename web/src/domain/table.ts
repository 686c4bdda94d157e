// Tables as text, for taking away: CSV (RFC 4180) and JSON. Pure.

export type Cell = string | number | null | undefined;

/** A field that a spreadsheet would run as a formula is written as text. */
function csvCell(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell === 'number') return String(cell);
  const guarded = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}

export function toCsv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [header, ...rows].map((row) => row.map(csvCell).join(',')).join('\r\n') + '\r\n';
}

/** `weir-summary-2026-11-21T10-00-00Z.csv`. */
export function exportName(what: string, atMs: number, extension: string): string {
  const stamp = new Date(atMs)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '-');
  return `weir-${what}-${stamp}.${extension}`;
}
