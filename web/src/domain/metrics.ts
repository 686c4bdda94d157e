// Metrics by name: what the schema says of each, and how it is shown. Pure.
import { l4Metrics, type MetricSchema } from './schema.gen';
import { formatExact, formatRate, formatValue } from './units';

const byName = new Map(l4Metrics.map((metric) => [metric.name, metric]));

/** How values of several windows become one, as far as showing them is concerned. */
export type MetricShape = 'total' | 'gauge' | 'mean';

export function metric(name: string): MetricSchema {
  const known = byName.get(name);
  if (known) return known;
  return { name, unit: 'none', mirror: null, label: name.replaceAll('_', ' '), doc: name };
}

export function isMetric(name: string): boolean {
  return byName.has(name);
}

export function metricShape(name: string): MetricShape {
  if (name === 'active_connections') return 'gauge';
  return metric(name).unit === 'microseconds' ? 'mean' : 'total';
}

export function formatMetric(name: string, value: number | null | undefined): string {
  return formatValue(value, metric(name).unit);
}

export function formatMetricExact(name: string, value: number | null | undefined): string {
  return formatExact(value, metric(name).unit);
}

/** Bytes and packets are drawn per second, so that a wider step does not look like more. */
export function isDrawnAsRate(name: string): boolean {
  const { unit } = metric(name);
  return unit === 'bytes' || unit === 'packets';
}

export function formatDrawn(name: string, value: number | null | undefined): string {
  const { unit } = metric(name);
  return isDrawnAsRate(name) ? formatRate(value, unit) : formatValue(value, unit);
}

/** The four reasons for which a connection attempt failed. */
export const connectFailures: readonly string[] = [
  'connect_refused',
  'connect_timeout',
  'connect_reset',
  'connect_failed_other',
];

/** What the fill menu of the map and the details' charts offer, in reading order. */
export const fillMetrics: readonly string[] = [
  'rtt_us',
  'jitter_us',
  'retransmits',
  'connections',
  'closures',
  'bytes_sent',
  'bytes_received',
];
