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

/** Where the entity lives: namespace and cluster, or the host of a process. */
export function entityQualifier(entity: Entity): string | null {
  if (entity.namespace) {
    return entity.cluster ? `${entity.namespace} · ${entity.cluster}` : entity.namespace;
  }
  if (entity.kind === 'process') return entity.host ?? entity.id.split('/')[0] ?? null;
  return null;
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
  if (kind === 'host') return level === 'process' ? ['process'] : [];
  if (kind === 'external') return ['host'];
  return [];
}

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
