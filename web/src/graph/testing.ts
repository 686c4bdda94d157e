// Small maps written as text, for tests: `a>b` calls, `*` in front marks an outside node.
import type { Entity } from '../domain/entity';
import type { LayoutInput } from './layout/types';
import { buildModel, type MapAnswer, type MapModel, type Metrics } from './model';

export function entity(name: string): Entity {
  const isOutside = name.startsWith('*');
  const id = name.replace('*', '');
  return isOutside
    ? { kind: 'external', id, name: id }
    : { kind: 'process', id: `box/${id}`, name: id, host: 'box' };
}

export function key(name: string): string {
  const { kind, id } = entity(name);
  return `${kind}:${id}`;
}

/** `nginx>app nginx>*example.com`, with the same metrics on every edge unless told. */
export function answer(
  edges: string,
  metricsOf: (edge: string) => Metrics = () => ({}),
): MapAnswer {
  const pairs = edges.split(/\s+/).filter(Boolean);
  const names = [...new Set(pairs.flatMap((pair) => pair.split('>')))];
  return {
    nodes: names.map((name) => ({
      key: key(name),
      entity: entity(name),
      metrics: {},
      group: null,
    })),
    edges: pairs.map((pair) => {
      const [client = '', server = ''] = pair.split('>');
      return { client: key(client), server: key(server), metrics: metricsOf(pair) };
    }),
    groups: [],
  };
}

export function model(edges: string, metricsOf?: (edge: string) => Metrics): MapModel {
  return buildModel(answer(edges, metricsOf));
}

export function layoutInput(edges: string): LayoutInput {
  const built = model(edges);
  return {
    nodes: built.nodes.map(({ key: k, side, group, traffic }) => ({
      key: k,
      side,
      group,
      weight: traffic,
    })),
    edges: built.edges.map(({ client, server }) => ({ client, server, weight: 1 })),
    isGrouped: built.isGrouped,
  };
}

/** Numbers that look random and are the same every time (a linear congruential generator). */
export function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
