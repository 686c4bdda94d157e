// The map as a graph: nodes, edges and who touches whom, made from one answer of the API.
// Pure. Knows nothing of positions, colours or the screen.
import type { Entity } from '../domain/entity';

export type Metrics = Readonly<Record<string, number | null | undefined>>;

/** The shape of `GET /map`, as far as drawing it is concerned. */
export interface MapAnswer {
  nodes: readonly { key: string; entity: Entity; metrics: Metrics; group?: string | null }[];
  /** Both ends as node keys. */
  edges: readonly { client: string; server: string; metrics: Metrics }[];
  groups: readonly { id: string; name: string }[];
}

/** Where a node belongs in a drawing that is read from left to right. */
export type Side = 'inside' | 'source' | 'destination';

export interface MapNode {
  key: string;
  entity: Entity;
  metrics: Metrics;
  group: string | null;
  side: Side;
  /** Bytes that arrived at this node, and bytes in both directions, over all it did. */
  inbound: number;
  traffic: number;
  /** Indexes into `MapModel.edges`: where the node is the client, and where it is the server. */
  out: number[];
  in: number[];
}

export interface MapEdge {
  key: string;
  index: number;
  client: string;
  server: string;
  metrics: Metrics;
  sent: number;
  received: number;
  isSelf: boolean;
}

export interface MapModel {
  nodes: readonly MapNode[];
  edges: readonly MapEdge[];
  byKey: ReadonlyMap<string, MapNode>;
  edgeByKey: ReadonlyMap<string, MapEdge>;
  /** Names of the groups by id; empty where nodes are not grouped. */
  groups: ReadonlyMap<string, string>;
}

const separator = '\u0001';

export function edgeKey(client: string, server: string): string {
  return client + separator + server;
}

export function isExternal(entity: Pick<Entity, 'kind'>): boolean {
  return entity.kind === 'external' || entity.kind === 'external_group';
}

/**
 * Nodes come out ordered by key, so that equal answers give equal models whatever order they
 * arrived in. An edge whose end is not among the nodes is left out: it cannot be drawn.
 */
export function buildModel(answer: MapAnswer): MapModel {
  const nodes = answer.nodes.map(({ key, entity, metrics, group }): MapNode => ({
    key,
    entity,
    metrics,
    group: group ?? null,
    side: 'inside',
    inbound: metrics['bytes_received'] ?? 0,
    traffic: (metrics['bytes_received'] ?? 0) + (metrics['bytes_sent'] ?? 0),
    out: [],
    in: [],
  }));
  nodes.sort((a, b) => compareKeys(a.key, b.key));
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const edges: MapEdge[] = [];
  for (const { client, server, metrics } of answer.edges) {
    const from = byKey.get(client);
    const to = byKey.get(server);
    if (from && to) edges.push(connect(from, to, metrics, edges.length));
  }
  for (const node of nodes) node.side = sideOf(node);
  const edgeByKey = new Map(edges.map((edge) => [edge.key, edge]));
  const groups = new Map(answer.groups.map(({ id, name }) => [id, name]));
  return { nodes, edges, byKey, edgeByKey, groups };
}

function connect(from: MapNode, to: MapNode, metrics: Metrics, index: number): MapEdge {
  const sent = metrics['bytes_sent'] ?? 0;
  const received = metrics['bytes_received'] ?? 0;
  from.out.push(index);
  to.in.push(index);
  return {
    key: edgeKey(from.key, to.key),
    index,
    client: from.key,
    server: to.key,
    metrics,
    sent,
    received,
    isSelf: from === to,
  };
}

/** What lies outside stands at the right where it is called, at the left where it only calls. */
function sideOf(node: MapNode): Side {
  if (!isExternal(node.entity)) return 'inside';
  return node.in.length === 0 && node.out.length > 0 ? 'source' : 'destination';
}

export function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export const emptyModel: MapModel = buildModel({ nodes: [], edges: [], groups: [] });
