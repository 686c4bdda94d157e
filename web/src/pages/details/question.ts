// What the details drawer asks for.
import type { Scope } from '../../api/questions';
import type { Details } from '../../domain/details';
import { entityKey } from '../../domain/entity';
import { filterForLayer, layerSchemas, type Layer } from '../../domain/layer';
import { connectFailures } from '../../domain/metrics';

/** The headline metrics, in reading order; L4's failed connects are shown as one number besides. */
export const tileMetrics: Record<Layer, readonly string[]> = {
  l4: [
    'bytes_sent',
    'bytes_received',
    'rtt_us',
    'jitter_us',
    'connections',
    'closures',
    'active_connections',
    'retransmits',
  ],
  l7: [
    'requests',
    'requests_per_s',
    'errors',
    'error_rate',
    'response_us',
    'response_us_p50',
    'response_us_p95',
    'response_us_p99',
  ],
  dns: ['dns_queries', 'dns_failures', 'dns_timeouts', 'dns_us', 'dns_us_p95'],
};

export const detailsMetrics: Record<Layer, readonly string[]> = {
  l4: [...tileMetrics.l4, 'rtt_us_min', 'rtt_us_max', 'connect_us', ...connectFailures],
  l7: layerSchemas.l7.metrics.map(({ name }) => name),
  dns: layerSchemas.dns.metrics.map(({ name }) => name),
};

/** The page's question to the sums of the drawer's layer, with as much of the filter as these have. */
export function scopeOfLayer(scope: Scope, layer: Layer): Scope {
  return { ...scope, layer, filter: filterForLayer(scope.filter, layer) };
}

/** Whose connections the API is asked for. */
export function endsOf(details: Details): { client?: string; server?: string; entity?: string } {
  if (details.kind === 'entity') return { entity: entityKey(details.entity) };
  return { client: entityKey(details.client), server: entityKey(details.server) };
}
