// The analysis charts of each layer, in reading order. Pure.
import type { SeriesColor } from '../base/palette';
import type { ChartSpec, LineSpec } from './chart';
import type { Layer } from './layer';
import { connectFailures } from './metrics';

function bar(
  metric: string,
  label: string,
  color: SeriesColor,
  side: 'up' | 'down' = 'up',
): LineSpec {
  return { metric, label, kind: 'bar', side, color };
}

function line(
  metric: string,
  label: string,
  color: SeriesColor,
  kind: LineSpec['kind'] = 'line',
): LineSpec {
  return { metric, label, kind, side: 'up', color };
}

const failureLabels = ['refused', 'timed out', 'reset', 'other'];

const l4: readonly ChartSpec[] = [
  {
    id: 'traffic',
    title: 'Traffic',
    unitOf: 'bytes_sent',
    lines: [bar('bytes_sent', 'sent', 0), bar('bytes_received', 'received', 1, 'down')],
  },
  {
    id: 'delay',
    title: 'TCP delay',
    unitOf: 'rtt_us',
    lines: [
      line('rtt_us', 'mean', 2),
      line('rtt_us_min', 'min', 2, 'low'),
      line('rtt_us_max', 'max', 2, 'high'),
    ],
  },
  { id: 'jitter', title: 'TCP jitter', unitOf: 'jitter_us', lines: [line('jitter_us', 'mean', 4)] },
  {
    id: 'connections',
    title: 'Connections',
    unitOf: 'connections',
    lines: [bar('connections', 'opened', 0), bar('closures', 'closed', 5, 'down')],
  },
  {
    id: 'retransmits',
    title: 'Retransmissions',
    unitOf: 'retransmits',
    lines: [bar('retransmits', 'segments', 3)],
  },
  {
    id: 'failures',
    title: 'Failed connects',
    unitOf: 'connect_refused',
    lines: connectFailures.map((metric, index) =>
      bar(metric, failureLabels[index] ?? metric, [3, 1, 4, 5][index] ?? 5),
    ),
  },
];

/** Requests by how they ended: each class of status, and those without one. */
const statusLines: readonly LineSpec[] = [
  bar('status_2xx', '2xx', 'ok'),
  bar('status_3xx', '3xx', 'redirect'),
  bar('status_4xx', '4xx', 'client-error'),
  bar('status_5xx', '5xx', 'server-error'),
  bar('unanswered', 'no answer', 'none'),
];

const l7: readonly ChartSpec[] = [
  {
    id: 'requests',
    title: 'Requests',
    unitOf: 'requests',
    lines: [bar('requests', 'requests', 0)],
  },
  { id: 'status', title: 'Status', unitOf: 'status_2xx', lines: statusLines },
  {
    id: 'response',
    title: 'Response time',
    unitOf: 'response_us',
    lines: [
      line('response_us', 'mean', 2),
      line('response_us_p50', 'P50', 0),
      line('response_us_p95', 'P95', 1),
      line('response_us_p99', 'P99', 3),
    ],
  },
  {
    id: 'errors',
    title: 'Errors',
    unitOf: 'errors',
    lines: [bar('errors', 'errors', 'server-error')],
  },
  {
    id: 'error-rate',
    title: 'Error rate',
    unitOf: 'error_rate',
    lines: [line('error_rate', 'of requests', 'server-error')],
  },
  {
    id: 'broken',
    title: 'Not answered to the end',
    unitOf: 'aborted',
    lines: [bar('unanswered', 'no answer', 'none'), bar('aborted', 'broken off', 1)],
  },
];

const groupLinesMax = 5;

const dns: readonly ChartSpec[] = [
  {
    id: 'queries',
    title: 'Lookups',
    unitOf: 'dns_queries',
    lines: [bar('dns_queries', 'lookups', 0)],
  },
  {
    id: 'types',
    title: 'Lookups by type',
    unitOf: 'dns_queries',
    lines: [],
    groups: { field: 'dns_type', metric: 'dns_queries', limit: groupLinesMax },
  },
  {
    id: 'answer-time',
    title: 'Lookup time',
    unitOf: 'dns_us',
    lines: [line('dns_us', 'mean', 2), line('dns_us_p50', 'P50', 0), line('dns_us_p95', 'P95', 1)],
  },
  {
    id: 'dns-failures',
    title: 'Failures and timeouts',
    unitOf: 'dns_failures',
    lines: [
      bar('dns_failures', 'failures', 'server-error'),
      bar('dns_timeouts', 'timeouts', 'none'),
    ],
  },
  {
    id: 'codes',
    title: 'Failures by code',
    unitOf: 'dns_failures',
    lines: [],
    groups: { field: 'rcode', metric: 'dns_failures', limit: groupLinesMax },
  },
  {
    id: 'names',
    title: 'Failures by name',
    unitOf: 'dns_failures',
    lines: [],
    groups: { field: 'dns_name', metric: 'dns_failures', limit: groupLinesMax },
  },
];

export const layerCharts: Record<Layer, readonly ChartSpec[]> = { l4, l7, dns };
