// Columns of the tables: which there are, in which order they first stand, which are shown. Pure.
import { l4Columns, l4Metrics, type ColumnSchema } from './schema.gen';

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

/** Metrics that the pairs table shows until someone chooses others. */
const shownPairMetrics = new Set([
  'bytes_sent',
  'bytes_received',
  'rtt_us',
  'jitter_us',
  'connections',
  'closures',
  'retransmits',
  'connect_refused',
]);

function endColumn(id: 'client' | 'server'): ColumnDef {
  const doc = id === 'client' ? 'who opened the conversation' : 'who accepted it';
  const label = id === 'client' ? 'Client' : 'Server';
  return { id, label, doc, width: 190, numeric: false, grows: true, shown: true, sort: id };
}

/** Heads that would be wider than their numbers; the whole name stands in the explanation. */
const shortLabels: Record<string, string> = {
  connections: 'Conns',
  closures: 'Closed',
  retransmits: 'Retrans',
};

function metricColumn(name: string, shown: boolean, sortable: boolean): ColumnDef {
  const known = l4Metrics.find((metric) => metric.name === name);
  const label = shortLabels[name] ?? known?.label ?? name;
  return {
    id: name,
    label,
    name: known?.label ?? name,
    doc: known ? `${known.label}: ${known.doc}` : name,
    width: Math.max(86, 32 + label.length * 7),
    numeric: true,
    grows: false,
    shown,
    sort: sortable ? name : null,
  };
}

export const trendColumn: ColumnDef = {
  id: 'trend',
  label: 'Trend',
  doc: 'the metric that the table is sorted by, over the chosen time',
  width: 116,
  numeric: false,
  grows: false,
  shown: true,
  sort: null,
};

export const pairColumns: readonly ColumnDef[] = [
  endColumn('client'),
  endColumn('server'),
  ...l4Metrics.map(({ name }) => metricColumn(name, shownPairMetrics.has(name), true)),
  trendColumn,
];

function wordColumn(
  id: string,
  label: string,
  doc: string,
  width: number,
  shown: boolean,
): ColumnDef {
  return { id, label, doc, width, numeric: false, grows: false, shown, sort: null };
}

export const connectionColumns: readonly ColumnDef[] = [
  wordColumn('direction', 'Direction', 'who opened the conversation, seen from this end', 88, true),
  { ...wordColumn('remote', 'Remote', 'address at the other end', 170, true), grows: true },
  wordColumn('transport', 'Protocol', 'tcp or udp', 76, true),
  ...l4Metrics.map(({ name }) => metricColumn(name, shownPairMetrics.has(name), false)),
];

const shownFlowColumns = new Set([
  'direction',
  'transport',
  'pid',
  'bytes_sent',
  'bytes_received',
  'retransmits',
]);

function flowLabel(name: string): string {
  if (name === 'transport') return 'Protocol';
  const metric = l4Metrics.find((known) => known.name === name);
  if (metric) return metric.label;
  const words = name.replace(/_(ms|us)\b/g, '').replaceAll('_', ' ');
  const upper = words.replace(/\b(ip|pid|rtt)\b/g, (word) => word.toUpperCase());
  return upper.charAt(0).toUpperCase() + upper.slice(1);
}

function flowColumn(column: ColumnSchema): ColumnDef {
  const numeric =
    column.type.startsWith('u') &&
    !['pid', 'netns'].includes(column.name) &&
    !column.name.endsWith('port');
  const label = shortLabels[column.name] ?? flowLabel(column.name);
  return {
    id: column.name,
    label,
    doc: column.doc,
    width: flowWidths[column.name] ?? Math.max(numeric ? 82 : 66, 30 + label.length * 7),
    numeric,
    grows: false,
    shown: shownFlowColumns.has(column.name),
    sort: null,
  };
}

/** Means are stored as a sum and a number of samples; a person reads the mean. */
const meanColumns: readonly { id: string; label: string; doc: string; shown: boolean }[] = [
  { id: 'rtt_us', label: 'TCP delay', doc: 'mean of the sampled round trip times', shown: true },
  { id: 'jitter_us', label: 'TCP jitter', doc: 'mean of the sampled variations', shown: false },
  {
    id: 'connect_us',
    label: 'Connect time',
    doc: 'mean time from SYN to ESTABLISHED',
    shown: false,
  },
];

/** Widths of columns whose content is known to be narrower than their kind's. */
const flowWidths: Record<string, number> = {
  direction: 92,
  transport: 76,
  pid: 64,
  retransmits: 76,
};

const composed: readonly ColumnDef[] = [
  wordColumn('time', 'Time', 'start of the window, in your time zone', 122, true),
  {
    ...wordColumn('client', 'Client', 'entity and address that opened the conversation', 200, true),
    grows: true,
  },
  {
    ...wordColumn('server', 'Server', 'entity and address that accepted it', 200, true),
    grows: true,
  },
  { ...wordColumn('local_process', 'Process', 'process at the observed end', 104, true) },
];

const hiddenFlowColumns = /^(window_start_ms|local_process|.*_us_sum|.*_samples)$/;

export const flowColumns: readonly ColumnDef[] = [
  ...composed,
  ...l4Columns.filter(({ name }) => !hiddenFlowColumns.test(name)).map(flowColumn),
  ...meanColumns.map((mean) => ({
    ...mean,
    width: 88,
    numeric: true,
    grows: false,
    sort: null,
  })),
];

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
