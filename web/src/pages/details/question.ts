// What the details drawer asks for.
import type { Details, EntityRef } from '../../domain/details';
import { entityKey, type Entity } from '../../domain/entity';
import { connectFailures } from '../../domain/metrics';

/** The headline metrics, in reading order; failed connects are shown as one number. */
export const tileMetrics: readonly string[] = [
  'bytes_sent',
  'bytes_received',
  'rtt_us',
  'jitter_us',
  'connections',
  'closures',
  'active_connections',
  'retransmits',
];

export const detailsMetrics: readonly string[] = [
  ...tileMetrics,
  'rtt_us_min',
  'rtt_us_max',
  'connect_us',
  ...connectFailures,
];

/** An entity as far as its reference alone tells: enough to name it before any answer came. */
export function entityOfRef(ref: EntityRef): Entity {
  if (ref.kind !== 'process') return { ...ref, name: ref.id };
  const slash = ref.id.indexOf('/');
  if (slash < 0) return { ...ref, name: ref.id };
  return { ...ref, name: ref.id.slice(slash + 1), host: ref.id.slice(0, slash) };
}

/** Whose connections the API is asked for. */
export function endsOf(details: Details): { client?: string; server?: string; entity?: string } {
  if (details.kind === 'entity') return { entity: entityKey(details.entity) };
  return { client: entityKey(details.client), server: entityKey(details.server) };
}
