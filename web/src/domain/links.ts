// Links to logs and traces elsewhere: the operator's templates, filled in. Pure.
import type { Entity } from './entity';
import type { FlowFields } from './flow';

export interface LinkTemplate {
  name: string;
  url: string;
}

export interface FilledLink {
  name: string;
  href: string;
}

export interface LinkTime {
  fromMs: number;
  toMs: number;
}

export type LinkValues = Readonly<Record<string, string | null | undefined>>;

/** Links all of whose placeholders have a value; each value percent-encoded. */
export function fillLinks(templates: readonly LinkTemplate[], values: LinkValues): FilledLink[] {
  return templates.flatMap(({ name, url }) => {
    let isWhole = true;
    const href = url.replace(/\{(\w+)\}/g, (_, key: string) => {
      const value = values[key];
      if (!value) isWhole = false;
      return encodeURIComponent(value ?? '');
    });
    return isWhole ? [{ name, href }] : [];
  });
}

/** What is known of an entity besides its name. */
export interface EntityPlace {
  node?: string | null | undefined;
  cluster?: string | null | undefined;
}

export function entityValues(entity: Entity, place: EntityPlace, time: LinkTime): LinkValues {
  return {
    kind: entity.kind,
    name: entity.name,
    namespace: entity.namespace,
    cluster: entity.cluster ?? place.cluster,
    host: entity.kind === 'host' ? entity.name : (place.node ?? entity.host),
    pod: entity.kind === 'pod' ? entity.name : null,
    ...timeValues(time),
  };
}

/** A single request is of its server, and of its trace; some minutes around it. */
export function requestValues(row: FlowFields, server: Entity, beganMs: number): LinkValues {
  const of = (name: string) => {
    const value = row[name];
    return value === null || value === undefined ? null : String(value);
  };
  return {
    kind: server.kind,
    name: server.name,
    namespace: of('server_namespace'),
    cluster: of('server_cluster'),
    host: of('server_host'),
    pod: of('server_pod'),
    trace_id: of('trace_id'),
    ...timeValues({ fromMs: beganMs - aroundMs, toMs: beganMs + aroundMs }),
  };
}

const aroundMs = 300_000;

function timeValues({ fromMs, toMs }: LinkTime): LinkValues {
  return { from_ms: String(Math.floor(fromMs)), to_ms: String(Math.ceil(toMs)) };
}
