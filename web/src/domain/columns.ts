// Columns of any table: their order, which are shown, what they sort by. Pure.
// Which columns each table has is tableColumns.ts's.

export interface ColumnDef {
  id: string;
  label: string;
  /** The whole name, where the label is cut to fit its column. */
  name?: string;
  doc: string;
  /** Width in pixels, at least. */
  width: number;
  numeric: boolean;
  /** Takes what width is left. */
  grows: boolean;
  shown: boolean;
  /** Name to sort by; null when the answer cannot be ordered by it. */
  sort: string | null;
}

/** What one person chose for one table. */
export interface ColumnChoice {
  order: string[];
  hidden: string[];
  shown: string[];
  widths: Record<string, number>;
}

export const noChoice: ColumnChoice = { order: [], hidden: [], shown: [], widths: {} };

export function isColumnChoice(value: unknown): value is ColumnChoice {
  if (typeof value !== 'object' || value === null) return false;
  const { order, hidden, shown, widths } = value as Record<string, unknown>;
  const isNames = (list: unknown) =>
    Array.isArray(list) && list.every((id) => typeof id === 'string');
  return (
    isNames(order) &&
    isNames(hidden) &&
    isNames(shown) &&
    typeof widths === 'object' &&
    widths !== null
  );
}

export function isShown(column: ColumnDef, choice: ColumnChoice): boolean {
  if (choice.hidden.includes(column.id)) return false;
  return column.shown || choice.shown.includes(column.id);
}

export function setShown(choice: ColumnChoice, id: string, shown: boolean): ColumnChoice {
  const others = (list: string[]) => list.filter((other) => other !== id);
  return {
    ...choice,
    hidden: shown ? others(choice.hidden) : [...others(choice.hidden), id],
    shown: shown ? [...others(choice.shown), id] : others(choice.shown),
  };
}

/** Ids in the chosen order; a column that the choice does not know keeps its place by the default. */
export function orderedIds(columns: readonly ColumnDef[], choice: ColumnChoice): string[] {
  const known = new Set(columns.map((column) => column.id));
  const ids = choice.order.filter((id) => known.has(id));
  columns.forEach((column, index) => {
    if (ids.includes(column.id)) return;
    const before = columns[index - 1];
    ids.splice(before ? ids.indexOf(before.id) + 1 : 0, 0, column.id);
  });
  return ids;
}

/** Moves one id to where another stands. */
export function moveId(ids: readonly string[], id: string, onto: string): string[] {
  if (id === onto || !ids.includes(id) || !ids.includes(onto)) return [...ids];
  const target = ids.indexOf(onto);
  const next = ids.filter((other) => other !== id);
  next.splice(target, 0, id);
  return next;
}

/** `-name` is largest first. */
export interface SortOrder {
  by: string;
  descending: boolean;
}

/** Room for the change since the period before, beside each number. */
export function widenForChange(columns: readonly ColumnDef[]): ColumnDef[] {
  return columns.map((column) =>
    column.numeric ? { ...column, width: column.width + 44 } : column,
  );
}

export function parseSort(text: string): SortOrder {
  return text.startsWith('-')
    ? { by: text.slice(1), descending: true }
    : { by: text, descending: false };
}

/** Numbers start with the largest, words with the first; a second click turns it round. */
export function nextSort(current: string, column: ColumnDef): string {
  const { by, descending } = parseSort(current);
  const name = column.sort ?? column.id;
  if (by !== name) return column.numeric ? `-${name}` : name;
  return descending ? name : `-${name}`;
}
