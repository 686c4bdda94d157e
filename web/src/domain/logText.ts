// The lines of a log as its text comes in pieces, and never more than so many. Pure.

/** Lines that are kept; older ones go. */
export const logLinesMax = 5_000;
/** Characters of a line that are kept. */
export const logLineMax = 4_000;

export interface LogText {
  lines: readonly string[];
  /** Number of the first kept line; what came before it was let go. */
  gone: number;
  /** What came of a line that has not ended. */
  rest: string;
}

export const emptyLog: LogText = { lines: [], gone: 0, rest: '' };

export function addText(log: LogText, piece: string): LogText {
  const parts = (log.rest + piece).split('\n');
  const rest = (parts.pop() ?? '').slice(0, logLineMax);
  if (parts.length === 0) return { ...log, rest };
  const came = parts.slice(-logLinesMax).map((line) => line.slice(0, logLineMax));
  const kept = log.lines.slice(Math.max(0, log.lines.length + came.length - logLinesMax));
  const gone = log.gone + log.lines.length + parts.length - kept.length - came.length;
  return { lines: [...kept, ...came], gone, rest };
}

/** The end of a log that does not end with a line break. */
export function endText(log: LogText): LogText {
  return log.rest === '' ? log : addText(log, '\n');
}

export interface LogLine {
  /** Counted from the first line that came. */
  number: number;
  /** When it was written, Unix milliseconds; the API server puts it in front. */
  timeMs: number | null;
  text: string;
}

const timeAhead = /^(\d{4}-\d{2}-\d{2}T\S+Z?) /;

export function readLine(line: string, number: number): LogLine {
  const time = timeAhead.exec(line)?.[1];
  const timeMs = time === undefined ? NaN : Date.parse(time);
  if (Number.isNaN(timeMs)) return { number, timeMs: null, text: line };
  return { number, timeMs, text: line.slice((time ?? '').length + 1) };
}

/** Places of the lines that hold the text, in any case of letters; null for all. */
export function findLines(lines: readonly string[], text: string): number[] | null {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return null;
  return lines.flatMap((line, at) => (line.toLowerCase().includes(wanted) ? [at] : []));
}
