// Columns of each table at each layer: which there are, in which order they first stand, which are
// shown. Pure.
import type { ColumnDef } from './columns';
import { layerSchemas, type Layer } from './layer';
import { isMetric, metric } from './metrics';
import type { ColumnSchema } from './schema.gen';

/** Metrics that tables show until someone chooses others. */
const shownMetrics: Record<Layer, readonly string[]> = {
  l4: [
    'bytes_sent',
    'bytes_received',
    'rtt_us',
    'jitter_us',
    'connections',
    'closures',
    'retransmits',
    'connect_refused',
  ],
  l7: [
    'requests',
    'requests_per_s',
    'status_3xx',
    'status_4xx',
    'status_5xx',
    'error_rate',
    'response_us',
    'response_us_p95',
  ],
  dns: ['dns_queries', 'dns_failures', 'dns_timeouts', 'dns_us', 'dns_us_p95'],
};

function wordColumn(
  id: string,
  label: string,
  doc: string,
  width: number,
  shown: boolean,
): ColumnDef {
  return { id, label, doc, width, numeric: false, grows: false, shown, sort: null };
}

function growing(column: ColumnDef): ColumnDef {
  return { ...column, grows: true };
}

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
  requests_per_s: 'Req/s',
  response_us: 'Response',
  response_us_min: 'Min',
  response_us_max: 'Max',
  response_us_p50: 'P50',
  response_us_p90: 'P90',
  response_us_p95: 'P95',
  response_us_p99: 'P99',
  dns_us: 'Mean',
  dns_us_min: 'Min',
  dns_us_max: 'Max',
  dns_us_p50: 'P50',
  dns_us_p95: 'P95',
};

/** With room for the arrow of the order beside the whole name; counts by class are short. */
const metricWidths: Record<string, number> = {
  requests: 102,
  requests_per_s: 78,
  status_3xx: 72,
  status_4xx: 72,
  status_5xx: 72,
  response_us: 102,
};

function metricColumn(name: string, shown: boolean, sortable: boolean): ColumnDef {
  const { label: whole, doc } = metric(name);
  const label = shortLabels[name] ?? whole;
  return {
    id: name,
    label,
    name: whole,
    doc: `${whole}: ${doc}`,
    width: metricWidths[name] ?? Math.max(86, 32 + label.length * 7),
    numeric: true,
    grows: false,
    shown,
    sort: sortable ? name : null,
  };
}

/** L4's stand in the schema's order; elsewhere those that are shown come first. */
function metricColumns(layer: Layer, sortable: boolean): ColumnDef[] {
  const shown = shownMetrics[layer];
  const all = layerSchemas[layer].metrics.map(({ name }) => name);
  const names = layer === 'l4' ? all : [...shown, ...all.filter((name) => !shown.includes(name))];
  return names.map((name) => metricColumn(name, shown.includes(name), sortable));
}

const trendColumn: ColumnDef = {
  ...wordColumn(
    'trend',
    'Trend',
    'the metric that the table is sorted by, over the chosen time',
    116,
    true,
  ),
};

function byLayer<T>(make: (layer: Layer) => T): Record<Layer, T> {
  return { l4: make('l4'), l7: make('l7'), dns: make('dns') };
}

export const pairColumns = byLayer<readonly ColumnDef[]>((layer) => [
  endColumn('client'),
  endColumn('server'),
  ...metricColumns(layer, true),
  trendColumn,
]);

export const connectionColumns = byLayer<readonly ColumnDef[]>((layer) => [
  wordColumn('direction', 'Direction', 'who opened the conversation, seen from this end', 88, true),
  growing(wordColumn('remote', 'Remote', 'address at the other end', 170, true)),
  wordColumn('transport', 'Protocol', 'tcp or udp', 76, layer !== 'l7'),
  ...metricColumns(layer, false),
]);

/** What a layer's work is grouped by besides its two ends: none at L4. */
export const groupFields: Record<Layer, readonly string[]> = {
  l4: [],
  l7: ['method', 'path'],
  dns: ['dns_name', 'dns_type'],
};

const groupHeads: Record<string, ColumnDef> = {
  method: wordColumn('method', 'Method', 'method of the request', 82, true),
  path: growing(
    wordColumn('path', 'Path', 'template of the path: what looks like an id is folded', 220, true),
  ),
  dns_name: growing(wordColumn('dns_name', 'Name', 'name that was asked for', 240, true)),
  dns_type: wordColumn('dns_type', 'Type', 'type of record that was asked for', 70, true),
};

const hiddenInGroups = new Set(['status_3xx']);

/**
 * Ordered by any metric, largest first: that is how an answer is cut to the heaviest. Rates are left
 * out: the answer is a series of one step that is longer than the time.
 */
export const groupColumns = byLayer<readonly ColumnDef[]>((layer) => [
  ...groupFields[layer].flatMap((name) => groupHeads[name] ?? []),
  ...metricColumns(layer, true)
    .filter(({ id }) => metric(id).unit !== 'per_second')
    .map((column) => ({ ...column, shown: column.shown && !hiddenInGroups.has(column.id) })),
]);

const shownFlowColumns = new Set([
  'direction',
  'transport',
  'pid',
  'bytes_sent',
  'bytes_received',
  'retransmits',
]);

/** A single request has its path as it was sent; its template is what paths are counted by. */
const flowLabels: Record<string, string> = {
  transport: 'Protocol',
  template: 'Path template',
};

function flowLabel(name: string): string {
  const given = flowLabels[name];
  if (given !== undefined) return given;
  if (isMetric(name)) return metric(name).label;
  const words = name.replace(/_(ms|us)\b/g, '').replaceAll('_', ' ');
  const upper = words.replace(/\b(ip|pid|rtt)\b/g, (word) => word.toUpperCase());
  const text = upper.charAt(0).toUpperCase() + upper.slice(1);
  return text.replace(/^Grpc\b/, 'gRPC');
}

/** Numbers that name something: there is nothing to add up or compare. */
const codes = new Set(['pid', 'netns', 'status', 'grpc_status']);

function flowColumn(column: ColumnSchema): ColumnDef {
  const numeric =
    column.type.startsWith('u') && !codes.has(column.name) && !column.name.endsWith('port');
  const label = shortLabels[column.name] ?? flowLabel(column.name);
  return {
    id: column.name,
    label,
    doc: column.doc,
    width: flowWidths[column.name] ?? Math.max(numeric ? 82 : 66, 30 + label.length * 7),
    numeric,
    grows: column.name === 'path' || column.name === 'template',
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

/** Widths of columns whose content is known to be narrower or wider than their kind's. */
const flowWidths: Record<string, number> = {
  direction: 92,
  transport: 76,
  pid: 64,
  retransmits: 76,
  method: 76,
  path: 190,
  template: 190,
  status: 118,
  protocol: 82,
  trace_id: 120,
};

function composedColumns(layer: Layer): ColumnDef[] {
  const endWidth = layer === 'l4' ? 200 : 160;
  const time = layer === 'l4' ? 'start of the window' : 'when the request began';
  return [
    wordColumn('time', 'Time', `${time}, in your time zone`, layer === 'l4' ? 122 : 146, true),
    growing(
      wordColumn(
        'client',
        'Client',
        'entity and address that opened the conversation',
        endWidth,
        true,
      ),
    ),
    growing(wordColumn('server', 'Server', 'entity and address that accepted it', endWidth, true)),
  ];
}

const hiddenFlowColumns = /^(window_start_ms|local_process|.*_us_sum|.*_samples)$/;

const l4FlowColumns: readonly ColumnDef[] = [
  ...composedColumns('l4'),
  wordColumn('local_process', 'Process', 'process at the observed end', 104, true),
  ...layerSchemas.l4.rowColumns.filter(({ name }) => !hiddenFlowColumns.test(name)).map(flowColumn),
  ...meanColumns.map((mean) => ({ ...mean, width: 88, numeric: true, grows: false, sort: null })),
];

/** What a request is told by, first; the rest of what is known follows, hidden. */
const requestOrder = [
  'method',
  'path',
  'status',
  'response_us',
  'protocol',
  'trace_id',
  'template',
  'encryption',
  'weight',
];

function requestColumns(): ColumnDef[] {
  const timeColumn = layerSchemas.l7.rowColumns.find(({ type }) => type === 'timestamp_ms')?.name;
  const all = layerSchemas.l7.rowColumns.map(flowColumn);
  const first = requestOrder.flatMap((id) => all.filter((column) => column.id === id));
  const rest = all.filter(({ id }) => !requestOrder.includes(id) && id !== timeColumn);
  const shown = requestOrder.slice(0, 6);
  return [
    ...composedColumns('l7'),
    ...[...first, ...rest].map((column) => ({ ...column, shown: shown.includes(column.id) })),
  ];
}

/** Columns of single rows; DNS is counted by name and keeps none. */
export const flowColumns: Record<Layer, readonly ColumnDef[]> = {
  l4: l4FlowColumns,
  l7: requestColumns(),
  dns: [],
};
