// Entities: how each is named, qualified, written into a link and asked for in a filter. Pure.
import { clauseText } from './filterEdit';

export type EntityKind =
  | 'process'
  | 'host'
  | 'pod'
  | 'workload'
  | 'service'
  | 'external'
  | 'external_group';

export type Level = 'process' | 'host' | 'pod' | 'deployment' | 'service';

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

/**
 * The clauses that select this entity at one end of a conversation.
 *
 * At a finer level an end that has no such identity falls back to its host, and then to its
 * domain or address; the extra `-key:*` clauses say "and has no finer identity".
 */
export function entityClauses(entity: Entity, side: FilterSide, level: Level): string[] {
  const f = (name: string) => field(side, name);
  switch (entity.kind) {
    case 'process': {
      const slash = entity.id.indexOf('/');
      const host = entity.host ?? (slash > 0 ? entity.id.slice(0, slash) : null);
      const clauses = [clauseText(f('process'), entity.name)];
      if (host) clauses.push(clauseText(f('host'), host));
      return clauses;
    }
    case 'host': {
      const clauses = [clauseText(f('host'), entity.name)];
      if (level === 'process') clauses.push(`-${f('process')}:*`);
      return clauses;
    }
    case 'external':
      return isIpText(entity.id)
        ? [clauseText(f('ip'), entity.id)]
        : [clauseText(f('domain'), entity.id)];
    case 'external_group':
      return [];
    case 'workload':
      return withPlace([clauseText(f('deployment'), entity.name)], entity, f);
    default:
      return withPlace([clauseText(f(entity.kind), entity.name)], entity, f);
  }
}

function withPlace(clauses: string[], entity: Entity, f: (name: string) => string): string[] {
  if (entity.namespace) clauses.push(clauseText(f('namespace'), entity.namespace));
  if (entity.cluster) clauses.push(clauseText(f('cluster'), entity.cluster));
  return clauses;
}
