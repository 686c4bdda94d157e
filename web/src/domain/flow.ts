// One row as people read it, a flow or a request: its two ends named, and every known fact in
// groups. Pure.
import { hasServices, type Entity, type EntityKind, type Level } from './entity';
import { clauseText } from './filterEdit';
import { hasField, layerSchemas, type Layer } from './layer';
import { isMetric, metric } from './metrics';
import type { ColumnSchema } from './schema.gen';
import { formatMoment, formatMomentMs } from './time';
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
  const cluster = of('cluster');
  const placed = (kind: EntityKind, name: string): Entity => {
    const place = [cluster, namespace ?? (kind === 'workload' ? host : null)];
    return { kind, id: [...place, name].filter(Boolean).join('/'), name, namespace, cluster };
  };
  const service = of('service');
  if (level === 'service' && service) return placed('service', service);
  const workload = of('deployment');
  if ((level === 'service' || level === 'deployment') && workload)
    return { ...placed('workload', workload), workload_kind: of('workload_kind'), host };
  if (pod && level !== 'process') return placed('pod', pod);
  if (process && host) return { kind: 'process', id: `${host}/${process}`, name: process, host };
  if (host) return { kind: 'host', id: host, name: host };
  if (service && hasServices(level)) return placed('service', service);
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
const means: Record<Layer, readonly string[]> = {
  l4: ['rtt_us', 'jitter_us', 'connect_us'],
  l7: [],
  dns: [],
};

/** A request began at a moment, a flow's numbers are those of a window. */
export function formatTime(layer: Layer, ms: number): string {
  return layer === 'l7' ? formatMomentMs(ms) : formatMoment(ms);
}

/** When the row's window or request began. */
export function flowTimeMs(layer: Layer, row: FlowFields): number | null {
  const column = layerSchemas[layer].rowColumns.find(({ type }) => type === 'timestamp_ms');
  return column ? flowNumber(row, column.name) : null;
}

/**
 * A key for each row. Rows have no id of their own: their identity columns and time are one, and
 * where several requests share all of these, their turn among them.
 */
export function flowKeys(layer: Layer, rows: readonly FlowFields[]): string[] {
  const identity = layerSchemas[layer].rowColumns
    .filter((column) => column.unit === 'none' || column.type === 'timestamp_ms')
    .map((column) => column.name);
  const seen = new Map<string, number>();
  return rows.map((row) => {
    const key = identity.map((name) => row[name] ?? '').join('|');
    const turn = seen.get(key) ?? 0;
    seen.set(key, turn + 1);
    return turn === 0 ? key : `${key}#${turn}`;
  });
}

/** How many requests the rows stand for: their weights together. */
export function requestsBehind(rows: readonly FlowFields[]): number {
  return rows.reduce((sum, row) => sum + (flowNumber(row, 'weight') ?? 1), 0);
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

function factLabel(name: string): string {
  if (isMetric(name)) return metric(name).label;
  const text = name.replace(/^(local|remote)_|_ms$/g, '').replaceAll('_', ' ');
  return text
    .replace(/\b(ip|pid|rtt|us|ms)\b/g, (word) =>
      word === 'us' ? 'µs' : word === 'ms' ? 'ms' : word.toUpperCase(),
    )
    .replace(/^grpc\b/, 'gRPC');
}

function fact(layer: Layer, row: FlowFields, column: ColumnSchema): FlowFact | null {
  const value = row[column.name];
  const text = words(value);
  if (text === null) return null;
  const isTime = column.type === 'timestamp_ms' && typeof value === 'number';
  const isMeasure = typeof value === 'number' && column.unit !== 'none';
  // The template of a path is what `path` means wherever requests are summed up.
  const field = column.name === 'template' ? 'path' : column.name;
  const isFilterable = !isTime && !isMeasure && hasField(layer, 'rows', field);
  return {
    column: column.name,
    label: factLabel(column.name),
    text: isTime ? formatTime(layer, value) : isMeasure ? formatValue(value, column.unit) : text,
    exact: isTime
      ? new Date(value).toISOString()
      : isMeasure
        ? formatExact(value, column.unit)
        : text,
    doc: column.doc,
    clause: isFilterable ? clauseText(field, text) : null,
  };
}

/** Labels of an end, one fact each. */
function labelFacts(row: FlowFields, column: ColumnSchema): FlowFact[] {
  const lines = words(row[column.name])?.split('\n') ?? [];
  return lines.map((line) => {
    const at = line.indexOf('=');
    const [name, value] = at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
    const clause = clauseText(column.name, line);
    return { column: column.name, label: name, text: value, exact: line, doc: column.doc, clause };
  });
}

/** A line of `headers` that a filter finds; what the language has a meaning for matches anything. */
function headerClause(line: string): string {
  return `headers:*${line.replace(/[^\w./=-]/g, '?')}*`;
}

/** The headers of a request that are kept, a line `name: value` each, as one fact each. */
function headerFacts(row: FlowFields, column: ColumnSchema): FlowFact[] {
  const lines = words(row[column.name])?.split('\n') ?? [];
  return lines.map((line) => {
    const [name = '', ...rest] = line.split(': ');
    const value = rest.join(': ');
    const { doc } = column;
    const clause = headerClause(line);
    return { column: column.name, label: name, text: value, exact: value, doc, clause };
  });
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

/** By whom and where a request was seen: what a flow has the same of. */
const observed = new Set(
  layerSchemas.l7.rowColumns
    .map(({ name }) => name)
    .filter((name) => layerSchemas.l4.rowColumns.some((column) => column.name === name)),
);

/** Everything that is known of a row, grouped; what is not known is left out. */
export function flowFacts(layer: Layer, row: FlowFields): FlowFacts[] {
  const columns = layerSchemas[layer].rowColumns;
  const group = (title: string, takes: (column: ColumnSchema) => boolean): FlowFacts => ({
    title,
    facts: columns
      .filter(takes)
      .flatMap((column) =>
        column.name === 'headers'
          ? headerFacts(row, column)
          : /_labels$/.test(column.name)
            ? labelFacts(row, column)
            : (fact(layer, row, column) ?? []),
      ),
  });
  const isMeasure = (column: ColumnSchema) =>
    ['bytes', 'packets', 'count', 'microseconds'].includes(column.unit);
  const numbers = group(
    'Measured',
    (column) => isMeasure(column) && !/_us_sum$|_samples$/.test(column.name),
  );
  numbers.facts.push(...means[layer].flatMap((name) => meanFact(row, name) ?? []));
  const isEnd = (column: ColumnSchema) => /^(local|remote)_/.test(column.name);
  const isOwn = (column: ColumnSchema) => !isMeasure(column) && !isEnd(column);
  const isObserved = (column: ColumnSchema) => layer === 'l7' && observed.has(column.name);
  const groups = [
    group(layer === 'l7' ? 'Request' : 'Flow', (c) => isOwn(c) && !isObserved(c)),
    group('Observation', (c) => isOwn(c) && isObserved(c)),
    group('Local end', (column) => column.name.startsWith('local_')),
    group('Remote end', (column) => column.name.startsWith('remote_')),
    numbers,
  ];
  return groups.filter(({ facts }) => facts.length > 0);
}
