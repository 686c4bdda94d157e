// Metrics by name: what the schema says of each, and how it is shown. Pure.
import { layers, layerSchemas, type Layer } from './layer';
import type { MetricSchema } from './schema.gen';
import { formatExact, formatRate, formatValue } from './units';

const byName = new Map(
  layers.flatMap((layer) => layerSchemas[layer].metrics.map((metric) => [metric.name, metric])),
);

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

/** Whether the metric is one of the layer's. */
export function isLayerMetric(layer: Layer, name: string): boolean {
  return layerSchemas[layer].metrics.some((known) => known.name === name);
}

export function metricShape(name: string): MetricShape {
  if (name === 'active_connections') return 'gauge';
  const { unit } = metric(name);
  return unit === 'microseconds' || unit === 'ratio' ? 'mean' : 'total';
}

export function formatMetric(name: string, value: number | null | undefined): string {
  return formatValue(value, metric(name).unit);
}

export function formatMetricExact(name: string, value: number | null | undefined): string {
  return formatExact(value, metric(name).unit);
}

/** Counts that are read as a rate: requests, by class of status too, and lookups. */
const countedPerSecond = /^(requests|status_\dxx|unanswered|dns_queries)$/;

/** What comes in a stream is drawn per second, so that a wider step does not look like more. */
export function isDrawnAsRate(name: string): boolean {
  const { unit } = metric(name);
  return unit === 'bytes' || unit === 'packets' || countedPerSecond.test(name);
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

/** What the fill menu of the map offers first, in reading order; the first one is the default. */
export const fillMetrics: Record<Layer, readonly string[]> = {
  l4: [
    'rtt_us',
    'jitter_us',
    'retransmits',
    'connections',
    'closures',
    'bytes_sent',
    'bytes_received',
  ],
  l7: ['response_us', 'error_rate', 'requests_per_s'],
  dns: ['dns_us', 'dns_failures', 'dns_timeouts', 'dns_queries'],
};

/** What tells how much of a layer's work someone does. */
export const volumeMetric: Record<Layer, string> = {
  l4: 'bytes_sent',
  l7: 'requests',
  dns: 'dns_queries',
};
