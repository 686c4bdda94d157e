// The map as a graph: nodes, edges and who touches whom, made from one answer of the API.
// Pure. Knows nothing of positions, colours or the screen.
import type { Entity } from '../domain/entity';
import type { Layer } from '../domain/layer';

export type Metrics = Readonly<Record<string, number | null | undefined>>;

/** The shape of `GET /map`, as far as drawing it is concerned. */
export interface MapAnswer {
  nodes: readonly {
    key: string;
    entity: Entity;
    metrics: Metrics;
    group?: string | null;
    provider?: string | null;
  }[];
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
  /** The cloud that a host runs in. */
  provider: string | null;
  side: Side;
  /** What its size follows: bytes that arrived at L4; its requests, or queries, otherwise. */
  inbound: number;
  /** All it did: bytes in both directions, requests, or queries. */
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
  /** Bytes each way at L4; requests or queries, which go one way, otherwise. */
  sent: number;
  received: number;
  isSelf: boolean;
}

/** What sizes and widths stand for. */
export interface Volume {
  /** Metric whose name and unit they have. */
  metric: string;
  /** Whether something comes back that is drawn by itself. */
  isTwoWay: boolean;
}

export interface MapModel {
  volume: Volume;
  nodes: readonly MapNode[];
  edges: readonly MapEdge[];
  byKey: ReadonlyMap<string, MapNode>;
  edgeByKey: ReadonlyMap<string, MapEdge>;
  /** Names of the groups by id; empty where nodes are not grouped. */
  groups: ReadonlyMap<string, string>;
  /** Whether groups were asked for, and not only where nodes are many. */
  isGrouped: boolean;
}

const separator = '\u0001';

export function edgeKey(client: string, server: string): string {
  return client + separator + server;
}

export function isExternal(entity: Pick<Entity, 'kind'>): boolean {
  return entity.kind === 'external' || entity.kind === 'external_group';
}

interface Amounts {
  sent: number;
  received: number;
}

const volumes: Record<Layer, Volume> = {
  l4: { metric: 'bytes_sent', isTwoWay: true },
  l7: { metric: 'requests', isTwoWay: false },
  dns: { metric: 'dns_queries', isTwoWay: false },
};

function amounts({ metric, isTwoWay }: Volume, metrics: Metrics): Amounts {
  const received = isTwoWay ? (metrics['bytes_received'] ?? 0) : 0;
  return { sent: metrics[metric] ?? 0, received };
}

/**
 * Nodes come out ordered by key, so that equal answers give equal models whatever order they
 * arrived in. An edge whose end is not among the nodes is left out: it cannot be drawn.
 */
export function buildModel(answer: MapAnswer, layer: Layer = 'l4', isGrouped = false): MapModel {
  const volume = volumes[layer];
  const nodes = answer.nodes.map(({ key, entity, metrics, group, provider }): MapNode => {
    const { sent, received } = amounts(volume, metrics);
    return {
      key,
      entity,
      metrics,
      group: group ?? null,
      provider: provider ?? null,
      side: 'inside',
      inbound: volume.isTwoWay ? received : sent,
      traffic: sent + received,
      out: [],
      in: [],
    };
  });
  nodes.sort((a, b) => compareKeys(a.key, b.key));
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const edges: MapEdge[] = [];
  for (const { client, server, metrics } of answer.edges) {
    const from = byKey.get(client);
    const to = byKey.get(server);
    if (!from || !to) continue;
    from.out.push(edges.length);
    to.in.push(edges.length);
    edges.push({
      key: edgeKey(from.key, to.key),
      index: edges.length,
      client: from.key,
      server: to.key,
      metrics,
      ...amounts(volume, metrics),
      isSelf: from === to,
    });
  }
  for (const node of nodes) node.side = sideOf(node);
  const edgeByKey = new Map(edges.map((edge) => [edge.key, edge]));
  const groups = new Map(answer.groups.map(({ id, name }) => [id, name]));
  return { volume, nodes, edges, byKey, edgeByKey, groups, isGrouped };
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
