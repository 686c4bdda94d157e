// What the details drawer asks for.
import type { Details, EntityRef } from '../../domain/details';
import { entityClauses, type Entity, type Level } from '../../domain/entity';
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

/** The conversations of a pair, or those in which an entity is one of the ends. */
export function detailsClauses(details: Details, level: Level): string[] {
  const of = (ref: EntityRef, side: 'client' | 'server') => entityClauses(entityOfRef(ref), side, level);
  if (details.kind === 'pair') return [...of(details.client, 'client'), ...of(details.server, 'server')];
  const asClient = of(details.entity, 'client').join(' ');
  const asServer = of(details.entity, 'server').join(' ');
  return asClient === '' ? [] : [`((${asClient}) OR (${asServer}))`];
}
