// The layout of large graphs, and of groups that were asked for: every group is an island with its
// heaviest node in the middle, islands that talk a lot stand near each other, what lies outside
// stands at the right. Pure, deterministic: no random start, and equal input gives equal output.
import Graph from 'graphology';
import forceAtlas2 from 'graphology-layout-forceatlas2';
import { compareKeys } from '../model';
import type { LayoutEdge, LayoutInput, LayoutNode, Point, Positions } from './types';

const nodeGap = 96;
const islandGap = 190;
/** Angle of a sunflower's seeds: each new node falls where there is most room. */
const goldenAngle = Math.PI * (3 - Math.sqrt(5));
const propagationRounds = 12;
const forceRounds = 240;
const outside = '\u0002outside';

interface Island {
  id: string;
  nodes: LayoutNode[];
  radius: number;
  centre: Point;
}

export function islandLayout(input: LayoutInput): Positions {
  const nodes = [...input.nodes].sort((a, b) => b.weight - a.weight || compareKeys(a.key, b.key));
  const islandOf = chooseIslands({ ...input, nodes });
  const islands = gather(nodes, islandOf);
  const inner = islands.filter((island) => island.id !== outside);
  placeIslands(inner, input.edges, islandOf);
  separate(inner);
  const positions: Positions = {};
  for (const island of inner) {
    island.nodes.forEach((node, i) => {
      const seed = seedAt(i);
      positions[node.key] = { x: island.centre.x + seed.x, y: island.centre.y + seed.y };
    });
  }
  const beyond = islands.find((island) => island.id === outside);
  if (beyond) placeOutside(beyond.nodes, inner, positions);
  return positions;
}

function seedAt(index: number): Point {
  const radius = nodeGap * 0.62 * Math.sqrt(index) + (index === 0 ? 0 : nodeGap * 0.35);
  return { x: radius * Math.cos(index * goldenAngle), y: radius * Math.sin(index * goldenAngle) };
}

/** As much of a graph as says whether it has groups. */
export interface Grouped {
  nodes: readonly Pick<LayoutNode, 'side' | 'group'>[];
  isGrouped: boolean;
}

/**
 * Whether the groups part the inside into several islands of several nodes each; groups that were
 * asked for are islands whatever they are like.
 */
export function hasTellingGroups({ nodes, isGrouped }: Grouped): boolean {
  const inside = nodes.filter((node) => node.side === 'inside');
  if (isGrouped) return inside.some((node) => node.group !== null);
  const groups = new Set(inside.map((node) => node.group));
  return groups.size > 1 && groups.size <= inside.length / 2;
}

/** By the given group; where that tells nothing, by who talks to whom. */
function chooseIslands(input: LayoutInput): Map<string, string> {
  const { nodes, edges } = input;
  const islandOf = hasTellingGroups(input)
    ? new Map(nodes.map((node) => [node.key, node.group ?? '']))
    : communities(nodes, edges);
  for (const node of nodes) if (node.side !== 'inside') islandOf.set(node.key, outside);
  return islandOf;
}

/**
 * Label propagation: each node takes the label that most of its traffic carries, heaviest nodes
 * first, ties to the smaller label, until nothing changes or the rounds are over.
 */
function communities(
  nodes: readonly LayoutNode[],
  edges: readonly LayoutEdge[],
): Map<string, string> {
  const label = new Map(nodes.map((node) => [node.key, node.key]));
  const near = new Map(nodes.map((node) => [node.key, [] as { key: string; weight: number }[]]));
  for (const { client, server, weight } of edges) {
    if (client === server) continue;
    near.get(client)?.push({ key: server, weight: 1 + Math.log1p(weight) });
    near.get(server)?.push({ key: client, weight: 1 + Math.log1p(weight) });
  }
  for (let round = 0; round < propagationRounds; round += 1) {
    let changed = 0;
    for (const node of nodes) {
      const sums = new Map<string, number>();
      for (const { key, weight } of near.get(node.key) ?? []) {
        const other = label.get(key) ?? key;
        sums.set(other, (sums.get(other) ?? 0) + weight);
      }
      const own = label.get(node.key) ?? node.key;
      let best = own;
      let bestSum = sums.get(own) ?? 0;
      for (const [candidate, sum] of sums) {
        const isBetter = sum > bestSum || (sum === bestSum && candidate < best);
        if (isBetter) [best, bestSum] = [candidate, sum];
      }
      if (best !== own) {
        label.set(node.key, best);
        changed += 1;
      }
    }
    if (changed === 0) break;
  }
  return label;
}

function gather(nodes: readonly LayoutNode[], islandOf: Map<string, string>): Island[] {
  const islands = new Map<string, Island>();
  for (const node of nodes) {
    const id = islandOf.get(node.key) ?? '';
    const island = islands.get(id) ?? { id, nodes: [], radius: 0, centre: { x: 0, y: 0 } };
    island.nodes.push(node);
    islands.set(id, island);
  }
  const list = [...islands.values()];
  for (const island of list) {
    const last = seedAt(Math.max(0, island.nodes.length - 1));
    island.radius = Math.hypot(last.x, last.y) + nodeGap / 2;
  }
  return list.sort((a, b) => b.nodes.length - a.nodes.length || compareKeys(a.id, b.id));
}

/** Attraction by traffic between islands, from a start that depends on the order alone. */
function placeIslands(
  islands: readonly Island[],
  edges: readonly LayoutEdge[],
  islandOf: Map<string, string>,
): void {
  const graph = new Graph({ type: 'undirected' });
  const scale = Math.max(1, ...islands.map((island) => island.radius));
  islands.forEach((island, i) => {
    const radius = scale * 1.4 * Math.sqrt(i);
    const [x, y] = [radius * Math.cos(i * goldenAngle), radius * Math.sin(i * goldenAngle)];
    graph.addNode(island.id, { x, y, size: island.radius });
  });
  for (const { client, server, weight } of edges) {
    const [a, b] = [islandOf.get(client) ?? '', islandOf.get(server) ?? ''];
    if (a === b || !graph.hasNode(a) || !graph.hasNode(b)) continue;
    graph.updateEdge(a, b, (attributes) => ({
      weight: (Number(attributes['weight']) || 0) + 1 + Math.log1p(weight) / 10,
    }));
  }
  if (islands.length > 2) {
    const settings = {
      gravity: 1.5,
      scalingRatio: scale,
      barnesHutOptimize: islands.length > 400,
      slowDown: 8,
      adjustSizes: true,
      edgeWeightInfluence: 0.4,
    };
    forceAtlas2.assign(graph, { iterations: forceRounds, settings });
  }
  for (const island of islands) {
    const { x, y } = graph.getNodeAttributes(island.id) as Point;
    island.centre = { x: Number.isFinite(x) ? x : 0, y: Number.isFinite(y) ? y : 0 };
  }
  compact(islands);
}

/** Draws islands towards the middle until they use the room they need, no more. */
function compact(islands: readonly Island[]): void {
  const needed = islands.reduce((sum, { radius }) => sum + (radius + islandGap / 2) ** 2, 0);
  const reach = Math.max(1, ...islands.map(({ centre }) => Math.hypot(centre.x, centre.y)));
  const factor = Math.min(1, (Math.sqrt(needed) * 1.15) / reach);
  for (const island of islands) {
    island.centre = { x: island.centre.x * factor * 1.12, y: island.centre.y * factor };
  }
}

const separationRounds = 200;

/** Pushes overlapping islands apart along the line between them. */
function separate(islands: readonly Island[]): void {
  for (let round = 0; round < separationRounds; round += 1) {
    let moved = false;
    for (let i = 0; i < islands.length; i += 1) {
      for (let j = i + 1; j < islands.length; j += 1) {
        const [a, b] = [islands[i], islands[j]];
        if (a && b && pushApart(a, b)) moved = true;
      }
    }
    if (!moved) return;
  }
}

function pushApart(a: Island, b: Island): boolean {
  const needed = a.radius + b.radius + islandGap;
  const dx = b.centre.x - a.centre.x || 1;
  const dy = b.centre.y - a.centre.y;
  const distance = Math.hypot(dx, dy);
  if (distance >= needed - 0.5) return false;
  const share = a.radius ** 2 / (a.radius ** 2 + b.radius ** 2);
  const push = (needed - distance) / distance;
  a.centre = { x: a.centre.x - dx * push * (1 - share), y: a.centre.y - dy * push * (1 - share) };
  b.centre = { x: b.centre.x + dx * push * share, y: b.centre.y + dy * push * share };
  return true;
}

/** Columns at the right of everything, heaviest first, centred on the islands' height. */
function placeOutside(
  nodes: readonly LayoutNode[],
  inner: readonly Island[],
  positions: Positions,
): void {
  const right = Math.max(0, ...inner.map((island) => island.centre.x + island.radius));
  const top = Math.min(0, ...inner.map((island) => island.centre.y - island.radius));
  const bottom = Math.max(0, ...inner.map((island) => island.centre.y + island.radius));
  const wantedRows = Math.floor((bottom - top) / (nodeGap * 0.95));
  const rows = Math.max(8, Math.min(nodes.length, wantedRows));
  const middle = (top + bottom) / 2 - ((Math.min(rows, nodes.length) - 1) * nodeGap * 0.95) / 2;
  nodes.forEach((node, i) => {
    positions[node.key] = {
      x: right + islandGap * 2 + Math.floor(i / rows) * nodeGap * 1.25,
      y: middle + (i % rows) * nodeGap * 0.95,
    };
  });
}
