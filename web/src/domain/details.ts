// What the details drawer shows, as it stands in the address bar. Pure.
import { entityOfRef, type EntityKind } from './entity';

export interface EntityRef {
  kind: EntityKind;
  id: string;
}

export type Details =
  { kind: 'pair'; client: EntityRef; server: EntityRef } | { kind: 'entity'; entity: EntityRef };

/** What the drawer tells of an entity; of a pair only its network. */
export type DetailsTab = 'network' | 'overview' | 'events' | 'logs';

export const detailsTabs: readonly DetailsTab[] = ['network', 'overview', 'events', 'logs'];

export const tabLabels: Record<DetailsTab, string> = {
  network: 'Network',
  overview: 'Overview',
  events: 'Events',
  logs: 'Logs',
};

const withLogs: readonly EntityKind[] = ['pod', 'workload', 'service'];

/**
 * Which tabs an entity has. What is outside of clusters has neither events nor logs: hosts where no
 * cluster is watched, and workloads of a plain host, which have no namespace.
 */
export function tabsOf(entity: EntityRef, hasCluster: boolean): readonly DetailsTab[] {
  const { kind } = entity;
  if (kind === 'external' || kind === 'external_group') return ['network'];
  const isOutside = kind === 'workload' && !entityOfRef(entity).namespace;
  if (withLogs.includes(kind) && !isOutside) return detailsTabs;
  return kind === 'host' && hasCluster
    ? ['network', 'overview', 'events']
    : ['network', 'overview'];
}

const kinds: readonly EntityKind[] = [
  'process',
  'host',
  'pod',
  'workload',
  'service',
  'external',
  'external_group',
];

const separator = '|';

function refText(ref: EntityRef): string {
  const id = ref.id.replaceAll('%', '%25').replaceAll(separator, '%7C');
  return `${ref.kind}:${id}`;
}

function parseRef(text: string): EntityRef | null {
  const colon = text.indexOf(':');
  const kind = kinds.find((known) => known === text.slice(0, colon));
  if (colon < 0 || !kind) return null;
  const id = text
    .slice(colon + 1)
    .replaceAll('%7C', separator)
    .replaceAll('%25', '%');
  return id === '' ? null : { kind, id };
}

/** `process:web/nginx` for an entity, `process:web/curl|process:web/nginx` for a pair. */
export function encodeDetails(details: Details): string {
  if (details.kind === 'entity') return refText(details.entity);
  return refText(details.client) + separator + refText(details.server);
}

/** Null when the text names nothing: a link from elsewhere must not break a page. */
export function decodeDetails(text: string): Details | null {
  const refs = text.split(separator).map(parseRef);
  const [first, second] = refs;
  if (!first || refs.length > 2) return null;
  if (refs.length === 1) return { kind: 'entity', entity: first };
  return second ? { kind: 'pair', client: first, server: second } : null;
}
