// What stands out and what steps back: neighbourhoods, hover, selection, search. Pure.
import type { MapEdge, MapModel, MapNode } from './model';

export const depthMax = 3;

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

/**
 * The node, whom it calls (and whom those call, `depth` steps), and who calls it likewise.
 * Edges are those that were walked: an edge between two callers is not on a path to the node.
 */
export function neighbourhood(model: MapModel, key: string, depth: number): Emphasis {
  const centre = model.byKey.get(key);
  if (!centre) return { nodes: new Set(), edges: new Set() };
  const nodes = new Set([key]);
  const edges = new Set<string>();
  walk(model, centre, depth, 'out', nodes, edges);
  walk(model, centre, depth, 'in', nodes, edges);
  return { nodes, edges };
}

function walk(
  model: MapModel,
  centre: MapNode,
  depth: number,
  way: 'out' | 'in',
  nodes: Set<string>,
  edges: Set<string>,
): void {
  let ring = [centre];
  const seen = new Set([centre.key]);
  for (let step = 0; step < depth; step += 1) {
    const next: MapNode[] = [];
    for (const edge of ring.flatMap((node) => node[way].map((i) => model.edges[i]))) {
      if (!edge) continue;
      edges.add(edge.key);
      const other = model.byKey.get(way === 'out' ? edge.server : edge.client);
      if (!other || seen.has(other.key)) continue;
      seen.add(other.key);
      nodes.add(other.key);
      next.push(other);
    }
    ring = next;
  }
}

/** The part of a model that an emphasis names. Sizes stay those of the whole. */
export function restrict(model: MapModel, to: Emphasis): MapModel {
  const nodes = model.nodes
    .filter((node) => !to.nodes || to.nodes.has(node.key))
    .map((node): MapNode => ({ ...node, out: [], in: [] }));
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const edges: MapEdge[] = [];
  for (const edge of model.edges) {
    if (to.edges && !to.edges.has(edge.key)) continue;
    const client = byKey.get(edge.client);
    const server = byKey.get(edge.server);
    if (!client || !server) continue;
    client.out.push(edges.length);
    server.in.push(edges.length);
    edges.push({ ...edge, index: edges.length });
  }
  return { nodes, edges, byKey, edgeByKey: new Map(edges.map((edge) => [edge.key, edge])) };
}
