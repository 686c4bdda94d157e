// One flow row as people read it: its two ends named, and every known fact in groups. Pure.
import type { Entity, Level } from './entity';
import { clauseText } from './filterEdit';
import { l4Columns, l4Metrics, type ColumnSchema } from './schema.gen';
import { metric } from './metrics';
import { formatMoment } from './time';
import { formatExact, formatValue } from './units';

export type FlowValue = string | number | null | undefined;

/** A row by the names of its columns. */
export type FlowFields = Record<string, FlowValue>;

export interface FlowEnd {
  entity: Entity;
  address: string;
}

function words(value: FlowValue): string | null {
  return value === null || value === undefined || value === '' ? null : String(value);
}

/** The identity at the level, or the most telling one that the row gives for one of its ends. */
function endEntity(row: FlowFields, side: 'client' | 'server', level: Level): Entity {
  const of = (name: string) => words(row[`${side}_${name}`]);
  const host = of('host');
  const process = of('process');
  const pod = of('pod');
  const namespace = of('namespace');
  if (level === 'host' && host) return { kind: 'host', id: host, name: host };
  if (pod)
    return { kind: 'pod', id: namespace ? `${namespace}/${pod}` : pod, name: pod, namespace };
  if (process && host) return { kind: 'process', id: `${host}/${process}`, name: process, host };
  if (host) return { kind: 'host', id: host, name: host };
  const name = of('domain') ?? of('ip') ?? 'unknown';
  return { kind: 'external', id: name, name };
}

export function addressText(ip: FlowValue, port: FlowValue): string {
  const address = words(ip) ?? '';
  const number = words(port);
  if (number === null) return address;
  return address.includes(':') ? `[${address}]:${number}` : `${address}:${number}`;
}

export function flowEnds(row: FlowFields, level: Level): { client: FlowEnd; server: FlowEnd } {
  const end = (side: 'client' | 'server'): FlowEnd => ({
    entity: endEntity(row, side, level),
    address: addressText(row[`${side}_ip`], row[`${side}_port`]),
  });
  return { client: end('client'), server: end('server') };
}

/** The value of a numeric column or mean; null where the row has none. */
export function flowNumber(row: FlowFields, name: string): number | null {
  const value = row[name];
  return typeof value === 'number' ? value : null;
}

/** Means of samples, which stand beside the stored sums. */
const means = ['rtt_us', 'jitter_us', 'connect_us'] as const;

/** Rows have no id of their own: their identity columns and window are one. */
const identity = l4Columns
  .filter((column) => column.unit === 'none' || column.name === 'window_start_ms')
  .map((column) => column.name);

export function flowKey(row: FlowFields): string {
  return identity.map((name) => row[name] ?? '').join('|');
}

export interface FlowFact {
  column: string;
  label: string;
  text: string;
  exact: string;
  doc: string;
  /** The clause that keeps only rows with this value; null where a filter cannot name it. */
  clause: string | null;
}

export interface FlowFacts {
  title: string;
  facts: FlowFact[];
}

const notFilterable = new Set(['window_start_ms', 'window_ms']);

function factLabel(name: string): string {
  const known = l4Metrics.find((item) => item.name === name);
  if (known) return known.label;
  const text = name.replace(/^(local|remote)_|_ms$/g, '').replaceAll('_', ' ');
  return text.replace(/\b(ip|pid|rtt|us|ms)\b/g, (word) =>
    word === 'us' ? 'µs' : word === 'ms' ? 'ms' : word.toUpperCase(),
  );
}

function fact(row: FlowFields, column: ColumnSchema): FlowFact | null {
  const value = row[column.name];
  const text = words(value);
  if (text === null) return null;
  const isTime = column.type === 'timestamp_ms' && typeof value === 'number';
  const isMeasure = typeof value === 'number' && column.unit !== 'none';
  const clause = notFilterable.has(column.name) || isMeasure ? null : clauseText(column.name, text);
  return {
    column: column.name,
    label: factLabel(column.name),
    text: isTime ? formatMoment(value) : isMeasure ? formatValue(value, column.unit) : text,
    exact: isTime
      ? new Date(value).toISOString()
      : isMeasure
        ? formatExact(value, column.unit)
        : text,
    doc: column.doc,
    clause,
  };
}

function meanFact(row: FlowFields, name: string): FlowFact | null {
  const value = flowNumber(row, name);
  if (value === null) return null;
  const { label, doc, unit } = metric(name);
  return {
    column: name,
    label,
    text: formatValue(value, unit),
    exact: formatExact(value, unit),
    doc,
    clause: null,
  };
}

/** Everything that is known of a row, grouped; what is not known is left out. */
export function flowFacts(row: FlowFields): FlowFacts[] {
  const group = (title: string, takes: (column: ColumnSchema) => boolean): FlowFacts => ({
    title,
    facts: l4Columns.filter(takes).flatMap((column) => fact(row, column) ?? []),
  });
  const isMeasure = (column: ColumnSchema) =>
    ['bytes', 'packets', 'count', 'microseconds'].includes(column.unit);
  const numbers = group(
    'Measured',
    (column) => isMeasure(column) && !/_us_sum$|_samples$/.test(column.name),
  );
  numbers.facts.push(...means.flatMap((name) => meanFact(row, name) ?? []));
  const groups = [
    group('Flow', (column) => !isMeasure(column) && !/^(local|remote)_/.test(column.name)),
    group('Local end', (column) => column.name.startsWith('local_')),
    group('Remote end', (column) => column.name.startsWith('remote_')),
    numbers,
  ];
  return groups.filter(({ facts }) => facts.length > 0);
}
