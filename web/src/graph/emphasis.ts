// What stands out and what steps back: neighbourhoods, hover, selection, search. Pure.
import type { MapModel } from './model';

/** Keys of nodes and edges; null means all of them. */
export interface Emphasis {
  nodes: ReadonlySet<string> | null;
  edges: ReadonlySet<string> | null;
}

export type Pointed = { kind: 'node'; key: string } | { kind: 'edge'; key: string } | null;

export const everything: Emphasis = { nodes: null, edges: null };

/** What the pointer or the selection touches: a node with its neighbours, an edge with its ends. */
export function touched(model: MapModel, pointed: Pointed): Emphasis {
  if (!pointed) return everything;
  if (pointed.kind === 'edge') {
    const edge = model.edgeByKey.get(pointed.key);
    if (!edge) return everything;
    return { nodes: new Set([edge.client, edge.server]), edges: new Set([edge.key]) };
  }
  const node = model.byKey.get(pointed.key);
  if (!node) return everything;
  const nodes = new Set([node.key]);
  const edges = new Set<string>();
  for (const index of [...node.out, ...node.in]) {
    const edge = model.edges[index];
    if (!edge) continue;
    nodes.add(edge.client);
    nodes.add(edge.server);
    edges.add(edge.key);
  }
  return { nodes, edges };
}

/** The named nodes, and the edges that touch one of them. */
export function amongNodes(model: MapModel, keys: ReadonlySet<string>): Emphasis {
  const edges = new Set<string>();
  for (const edge of model.edges) {
    if (keys.has(edge.client) || keys.has(edge.server)) edges.add(edge.key);
  }
  return { nodes: keys, edges };
}

export function both(a: Emphasis, b: Emphasis): Emphasis {
  return { nodes: intersect(a.nodes, b.nodes), edges: intersect(a.edges, b.edges) };
}

function intersect(
  a: ReadonlySet<string> | null,
  b: ReadonlySet<string> | null,
): ReadonlySet<string> | null {
  if (!a) return b;
  if (!b) return a;
  return new Set([...a].filter((key) => b.has(key)));
}
