// From ranks to coordinates: the order within each rank (few crossings), then heights that keep
// lines short. A rank with many nodes is folded into several columns. Pure.
import { adjacency, type IndexedGraph } from './ranks';
import { columnGap, rankGap, rowGap, type Point } from './types';

const orderSweeps = 12;
const heightSweeps = 20;

interface Block {
  /** Nodes in reading order: row by row, `columns` to a row. */
  nodes: number[];
  columns: number;
  rows: number;
}

/** Orders each rank by the mean place of its neighbours in the ranks around it. */
export function orderRanks(graph: IndexedGraph, ranks: readonly number[][]): number[][] {
  const links = adjacency(graph);
  const place = new Array<number>(graph.count).fill(0);
  const settle = (rank: readonly number[]) =>
    rank.forEach((node, i) => (place[node] = (i + 0.5) / rank.length));
  ranks.forEach(settle);
  const ordered = ranks.map((rank) => [...rank]);
  for (let sweep = 0; sweep < orderSweeps; sweep += 1) {
    const isForward = sweep % 2 === 0;
    const sequence = isForward ? ordered : [...ordered].reverse();
    for (const rank of sequence) {
      const wanted = new Map<number, number>();
      for (const node of rank) {
        const isLast = sweep >= orderSweeps - 2;
        const ins = (links.in[node] ?? []).map((e) => place[e.from] ?? 0);
        const outs = (links.out[node] ?? []).map((e) => place[e.to] ?? 0);
        const near = isLast ? [...ins, ...outs] : isForward ? ins : outs;
        const mean = near.reduce((sum, p) => sum + p, 0) / near.length;
        wanted.set(node, near.length > 0 ? mean : (place[node] ?? 0));
      }
      const before = new Map(rank.map((node, i) => [node, i]));
      rank.sort(
        (a, b) =>
          (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0) ||
          (before.get(a) ?? 0) - (before.get(b) ?? 0),
      );
      settle(rank);
    }
  }
  return ordered;
}

/** Rows that give the whole drawing about the shape of a screen. */
export function rowsFor(nodeCount: number): number {
  return Math.max(7, Math.ceil(Math.sqrt(nodeCount) * 1.15));
}

/** Coordinates of one connected part, its top left at 0,0; `ranks` are already in order. */
export function placeRanks(
  graph: IndexedGraph,
  ranks: readonly number[][],
  rowsMax: number,
): Map<number, Point> {
  const blocks = ranks.map((nodes): Block => {
    const columns = Math.max(1, Math.ceil(nodes.length / rowsMax));
    return { nodes, columns, rows: Math.ceil(nodes.length / columns) };
  });
  const x = columnPositions(blocks);
  const y = heights(graph, blocks);
  const points = new Map<number, Point>();
  const top = Math.min(...y.values());
  blocks.forEach((block, b) => {
    block.nodes.forEach((node, i) => {
      const column = i % block.columns;
      points.set(node, { x: (x[b] ?? 0) + column * columnGap, y: (y.get(node) ?? 0) - top });
    });
  });
  return points;
}

function columnPositions(blocks: readonly Block[]): number[] {
  let at = 0;
  return blocks.map((block) => {
    const left = at;
    if (block.nodes.length > 0) at += (block.columns - 1) * columnGap + rankGap;
    return left;
  });
}

function heights(graph: IndexedGraph, blocks: readonly Block[]): Map<number, number> {
  const links = adjacency(graph);
  const y = new Map<number, number>();
  for (const block of blocks) setBlock(y, block, 0);
  for (let sweep = 0; sweep < heightSweeps; sweep += 1) {
    const sequence = sweep % 2 === 0 ? blocks : [...blocks].reverse();
    for (const block of sequence) {
      const wanted = block.nodes.map((node) => {
        const near = [
          ...(links.in[node] ?? []).map((e) => y.get(e.from) ?? 0),
          ...(links.out[node] ?? []).map((e) => y.get(e.to) ?? 0),
        ];
        return near.length > 0 ? mean(near) : (y.get(node) ?? 0);
      });
      if (block.columns > 1) setBlock(y, block, mean(wanted));
      else spread(wanted, rowGap).forEach((value, i) => y.set(block.nodes[i] ?? 0, value));
    }
  }
  return y;
}

/** A folded rank is a grid; every second column is half a row lower, so lines pass between. */
function setBlock(y: Map<number, number>, block: Block, centre: number): void {
  const top = centre - ((block.rows - 1) * rowGap) / 2;
  block.nodes.forEach((node, i) => {
    const column = i % block.columns;
    const half = column % 2 === 1 ? rowGap / 2 : 0;
    y.set(node, top + Math.floor(i / block.columns) * rowGap + half);
  });
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, v) => sum + v, 0) / values.length;
}

/**
 * The heights nearest to those wanted (least squares) that keep the order and a gap:
 * isotonic regression by pooling adjacent violators.
 */
export function spread(wanted: readonly number[], gap: number): number[] {
  const pools: { sum: number; count: number }[] = [];
  wanted.forEach((value, i) => {
    pools.push({ sum: value - i * gap, count: 1 });
    for (;;) {
      const last = pools[pools.length - 1];
      const previous = pools[pools.length - 2];
      if (!last || !previous || previous.sum / previous.count <= last.sum / last.count) break;
      pools.pop();
      previous.sum += last.sum;
      previous.count += last.count;
    }
  });
  const result: number[] = [];
  for (const pool of pools) {
    for (let i = 0; i < pool.count; i += 1) {
      result.push(pool.sum / pool.count + result.length * gap);
    }
  }
  return result;
}
