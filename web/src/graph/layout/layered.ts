// The layout of readable graphs: ranks from left to right, sources outside at the far left,
// destinations outside at the far right, connected parts one below another. Pure, deterministic.
//
// Our own rather than dagre or ELK, because network graphs are mostly stars: a rank of eighty
// destinations must fold into columns, which neither does, and outside nodes must line up over
// all parts.
import { compareKeys } from '../model';
import { orderRanks, placeRanks, rowsFor } from './columns';
import { assignRanks, components, type IndexedEdge, type IndexedGraph } from './ranks';
import {
  columnGap,
  rankGap,
  rowGap,
  type LayoutInput,
  type LayoutNode,
  type Point,
  type Positions,
} from './types';

interface Part {
  nodes: number[];
  points: Map<number, Point>;
  width: number;
  height: number;
  reachesOutside: boolean;
}

export function layeredLayout(input: LayoutInput): Positions {
  const nodes = [...input.nodes].sort((a, b) => b.weight - a.weight || compareKeys(a.key, b.key));
  const graph = indexGraph(nodes, input);
  const parts = components(graph).map((part) => placePart(graph, nodes, part));
  parts.sort((a, b) => b.nodes.length - a.nodes.length);
  const points = arrange(parts, nodes);
  const stretch = stretchOf([...points.values()]);
  const positions: Positions = {};
  nodes.forEach((node, i) => {
    const { x, y } = points.get(i) ?? { x: 0, y: 0 };
    positions[node.key] = { x: x * stretch.x, y: y * stretch.y };
  });
  return positions;
}

/** Width to height that a drawing is stretched towards, and by how much at most. */
const aspect = { min: 1.05, max: 1.35 } as const;
const stretchMax = { x: 1.9, y: 2.3 } as const;

/** Uses the room that a long or a tall drawing leaves empty, which keeps labels apart. */
function stretchOf(points: readonly Point[]): Point {
  const width = Math.max(columnGap, ...points.map((p) => p.x));
  const height = Math.max(rowGap, ...points.map((p) => p.y));
  return {
    x: Math.min(stretchMax.x, Math.max(1, (height * aspect.min) / width)),
    y: Math.min(stretchMax.y, Math.max(1, width / aspect.max / height)),
  };
}

function indexGraph(nodes: readonly LayoutNode[], input: LayoutInput): IndexedGraph {
  const indexOf = new Map(nodes.map((node, i) => [node.key, i]));
  const edges: IndexedEdge[] = [];
  for (const { client, server, weight } of input.edges) {
    const from = indexOf.get(client);
    const to = indexOf.get(server);
    if (from === undefined || to === undefined || from === to) continue;
    edges.push({ from, to, weight: 1 + Math.log1p(Math.max(0, weight)) });
  }
  edges.sort((a, b) => a.from - b.from || a.to - b.to);
  return { count: nodes.length, edges };
}

function placePart(whole: IndexedGraph, nodes: readonly LayoutNode[], part: number[]): Part {
  const local = new Map(part.map((node, i) => [node, i]));
  const edges = whole.edges.flatMap(({ from, to, weight }) => {
    const a = local.get(from);
    const b = local.get(to);
    return a === undefined || b === undefined ? [] : [{ from: a, to: b, weight }];
  });
  const graph: IndexedGraph = { count: part.length, edges };
  const sides = part.map((node) => nodes[node]?.side ?? 'inside');
  const ranks = rankLists(graph, sides);
  const rows = rowsFor(part.length);
  const placed = placeRanks(graph, orderRanks(graph, ranks), rows);
  const points = new Map(part.map((node, i) => [node, placed.get(i) ?? { x: 0, y: 0 }]));
  const all = [...points.values()];
  return {
    nodes: part,
    points,
    width: Math.max(...all.map((p) => p.x)),
    height: Math.max(...all.map((p) => p.y)),
    reachesOutside: sides.includes('destination'),
  };
}

/** Node lists by rank; what lies outside has the first or the last rank to itself. */
function rankLists(graph: IndexedGraph, sides: readonly string[]): number[][] {
  const isInside = (node: number) => sides[node] === 'inside';
  const inner = graph.edges.filter((e) => isInside(e.from) && isInside(e.to));
  const rank = assignRanks({ count: graph.count, edges: inner });
  pullToCallers(graph, sides, rank, inner);
  const lists: number[][] = [[]];
  const destinations: number[] = [];
  for (let node = 0; node < graph.count; node += 1) {
    if (sides[node] === 'source') lists[0]?.push(node);
    else if (sides[node] === 'destination') destinations.push(node);
    else (lists[(rank[node] ?? 0) + 1] ??= []).push(node);
  }
  const filled = Array.from(lists, (list) => list ?? []).filter((list) => list.length > 0);
  return destinations.length > 0 ? [...filled, destinations] : filled;
}

/** Inside nodes that only call outside stand in the last inner rank, next to what they call. */
function pullToCallers(
  graph: IndexedGraph,
  sides: readonly string[],
  rank: number[],
  inner: readonly IndexedEdge[],
): void {
  const hasInner = new Set(inner.flatMap((e) => [e.from, e.to]));
  const last = Math.max(0, ...[...hasInner].map((node) => rank[node] ?? 0));
  for (let node = 0; node < graph.count; node += 1) {
    if (sides[node] === 'inside' && !hasInner.has(node)) rank[node] = last;
  }
}

/**
 * Parts that reach outside share one right edge, so that all destinations stand at one side; the
 * others fill rows below.
 */
function arrange(parts: readonly Part[], nodes: readonly LayoutNode[]): Map<number, Point> {
  const points = new Map<number, Point>();
  const outer = parts.filter((part) => part.reachesOutside);
  const inner = parts.filter((part) => !part.reachesOutside);
  const width = Math.max(0, ...parts.map((part) => part.width));
  let y = 0;
  for (const part of outer) {
    for (const [node, point] of part.points) {
      const shift = nodes[node]?.side === 'source' ? 0 : width - part.width;
      points.set(node, { x: point.x + shift, y: point.y + y });
    }
    y += part.height + rowGap;
  }
  const area = inner.reduce((sum, p) => sum + (p.width + rankGap) * (p.height + rowGap), 0);
  const shelfWidth = Math.max(width, Math.sqrt(area * 1.7));
  let x = 0;
  let shelfHeight = 0;
  for (const part of inner) {
    if (x > 0 && x + part.width > shelfWidth) {
      x = 0;
      y += shelfHeight + rowGap;
      shelfHeight = 0;
    }
    for (const [node, point] of part.points) points.set(node, { x: point.x + x, y: point.y + y });
    x += part.width + (part.nodes.length > 1 ? rankGap * 0.75 : columnGap);
    shelfHeight = Math.max(shelfHeight, part.height);
  }
  return points;
}
