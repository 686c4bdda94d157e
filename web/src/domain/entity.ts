// Entities: how each is named, qualified, written into a link and asked for in a filter. Pure.
import { clauseText } from './filterEdit';

export type EntityKind =
  'process' | 'host' | 'pod' | 'workload' | 'service' | 'external' | 'external_group';

export type Level = 'process' | 'host' | 'pod' | 'deployment' | 'service';

export const allLevels: readonly Level[] = ['process', 'host', 'pod', 'deployment', 'service'];

/** One named end of an edge; `id` is unique together with `kind`. */
export interface Entity {
  kind: EntityKind;
  id: string;
  name: string;
  cluster?: string | null;
  namespace?: string | null;
  host?: string | null;
  workload_kind?: string | null;
}

export const kindLabels: Record<EntityKind, string> = {
  process: 'Process',
  host: 'Host',
  pod: 'Pod',
  workload: 'Workload',
  service: 'Service',
  external: 'External',
  external_group: 'External group',
};

export const levelLabels: Record<Level, string> = {
  process: 'Process',
  host: 'Host',
  pod: 'Pod',
  deployment: 'Deployment',
  service: 'Service',
};

/** `kind:id`: what tells two entities apart. */
export function entityKey(entity: Pick<Entity, 'kind' | 'id'>): string {
  return `${entity.kind}:${entity.id}`;
}

/** Where the entity lives: namespace and, unless there is but one, cluster; the host otherwise. */
export function entityQualifier(entity: Entity, hasClusters = true): string | null {
  if (entity.namespace) {
    const { namespace, cluster } = entity;
    return cluster && hasClusters ? `${namespace} · ${cluster}` : namespace;
  }
  if (entity.kind !== 'process' && entity.kind !== 'workload') return null;
  const slash = entity.id.indexOf('/');
  return entity.host ?? (slash > 0 ? entity.id.slice(0, slash) : null);
}

/** An entity as far as its reference alone tells: enough to name it before any answer came. */
export function entityOfRef({ kind, id }: Pick<Entity, 'kind' | 'id'>): Entity {
  if (kind === 'process') {
    const slash = id.indexOf('/');
    if (slash < 0) return { kind, id, name: id };
    return { kind, id, name: id.slice(slash + 1), host: id.slice(0, slash) };
  }
  if (kind !== 'pod' && kind !== 'workload' && kind !== 'service') return { kind, id, name: id };
  const parts = id.split('/');
  if (parts.length >= 3) {
    const [name, namespace] = [parts.at(-1) ?? id, parts.at(-2) ?? null];
    return { kind, id, name, namespace, cluster: parts.slice(0, -2).join('/') };
  }
  const [place, name] = parts;
  if (name === undefined) return { kind, id, name: id };
  // Without a cluster it is a workload of a plain host, or in a namespace that nobody watches.
  return kind === 'workload'
    ? { kind, id, name, host: place }
    : { kind, id, name, namespace: place };
}

const ipv4 = /^\d{1,3}(\.\d{1,3}){3}$/;

export function isIpText(text: string): boolean {
  return ipv4.test(text) || (text.includes(':') && /^[0-9a-f:.]+$/i.test(text));
}

export type FilterSide = 'client' | 'server' | 'either';

function field(side: FilterSide, name: string): string {
  return side === 'either' ? name : `${side}_${name}`;
}

/** Finer names that an end of this kind lacks at the level: there it stands for what is not known. */
function lacking(kind: EntityKind, level: Level): readonly string[] {
  if (kind === 'host') return finer[level];
  if (kind === 'workload') return level === 'service' ? ['service'] : [];
  if (kind === 'service') return hasServices(level) ? [...finer[level], 'host'] : [];
  if (kind === 'external') {
    if (level === 'process') return ['host'];
    return [...finer[level], 'host', ...(hasServices(level) ? ['service'] : [])];
  }
  return [];
}

/** Whether an end is its Service there where nobody knows who answered for it. */
export function hasServices(level: Level): boolean {
  return level === 'pod' || level === 'deployment';
}

/** Names that come before the host at a level. */
const finer: Record<Level, readonly string[]> = {
  process: ['process'],
  host: [],
  pod: ['pod'],
  deployment: ['deployment'],
  service: ['service', 'deployment'],
};

/**
 * The clauses that select this entity at one end of a conversation, for a link to its flows.
 *
 * At a finer level an end without such an identity falls back to its host, and then to its domain
 * or address; the extra `-key:*` clauses say "and has no finer identity". At either end they cannot
 * be said, as they would speak of both.
 */
export function entityClauses(entity: Entity, side: FilterSide, level: Level): string[] {
  const is = (name: string, value: string) => clauseText(field(side, name), value);
  const clauses: string[] = [];
  switch (entity.kind) {
    case 'process': {
      const slash = entity.id.indexOf('/');
      const host = entity.host ?? (slash > 0 ? entity.id.slice(0, slash) : null);
      if (host) clauses.push(is('host', host));
      clauses.push(is('process', slash > 0 ? entity.id.slice(slash + 1) : entity.name));
      break;
    }
    case 'host':
      clauses.push(is('host', entity.id));
      break;
    case 'external':
      clauses.push(is(isIpText(entity.id) ? 'ip' : 'domain', entity.id));
      break;
    case 'external_group':
      return [];
    default:
      clauses.push(is(entity.kind === 'workload' ? 'deployment' : entity.kind, entity.name));
      if (entity.namespace) clauses.push(is('namespace', entity.namespace));
      if (entity.cluster) clauses.push(is('cluster', entity.cluster));
  }
  if (side === 'either') return clauses;
  return [...clauses, ...lacking(entity.kind, level).map((name) => `-${field(side, name)}:*`)];
}
