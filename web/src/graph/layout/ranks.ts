// Which rank each node stands in: callers left of those they call. Pure, on node indexes.

export interface IndexedEdge {
  from: number;
  to: number;
  weight: number;
}

export interface IndexedGraph {
  count: number;
  /** Without self edges; at most one edge from one node to another. */
  edges: readonly IndexedEdge[];
}

/** Adjacency as lists of edges. */
export function adjacency(graph: IndexedGraph): { out: IndexedEdge[][]; in: IndexedEdge[][] } {
  const lists = () => Array.from({ length: graph.count }, (): IndexedEdge[] => []);
  const result = { out: lists(), in: lists() };
  for (const edge of graph.edges) {
    result.out[edge.from]?.push(edge);
    result.in[edge.to]?.push(edge);
  }
  return result;
}

/**
 * An order in which as little weight as possible points backwards (the greedy heuristic of Eades,
 * Lin and Smyth, 1993): sinks go to the end, sources to the front, and where only cycles are left
 * the node that gives most more than it takes goes to the front.
 */
export function acyclicOrder(graph: IndexedGraph): number[] {
  const links = adjacency(graph);
  const left = new Set(Array.from({ length: graph.count }, (_, i) => i));
  const sum = (edges: readonly IndexedEdge[] | undefined) =>
    (edges ?? []).reduce((total, edge) => total + edge.weight, 0);
  const outWeight = links.out.map(sum);
  const inWeight = links.in.map(sum);
  const outCount = links.out.map((edges) => edges.length);
  const inCount = links.in.map((edges) => edges.length);
  const front: number[] = [];
  const back: number[] = [];
  const take = (node: number): void => {
    left.delete(node);
    for (const { to, weight } of links.out[node] ?? []) {
      inWeight[to] = (inWeight[to] ?? 0) - weight;
      inCount[to] = (inCount[to] ?? 0) - 1;
    }
    for (const { from, weight } of links.in[node] ?? []) {
      outWeight[from] = (outWeight[from] ?? 0) - weight;
      outCount[from] = (outCount[from] ?? 0) - 1;
    }
  };
  while (left.size > 0) {
    const sinks = [...left].filter((node) => outCount[node] === 0);
    const sources = [...left].filter((node) => outCount[node] !== 0 && inCount[node] === 0);
    if (sinks.length + sources.length > 0) {
      for (const node of sinks) take(node);
      for (const node of sources) take(node);
      back.push(...sinks.reverse());
      front.push(...sources);
      continue;
    }
    const excess = (node: number) => (outWeight[node] ?? 0) - (inWeight[node] ?? 0);
    const best = [...left].reduce((a, b) => (excess(b) > excess(a) ? b : a));
    take(best);
    front.push(best);
  }
  return [...front, ...back.reverse()];
}

/**
 * Ranks from 0. Edges that point backwards in the acyclic order are ignored; a node that nobody
 * calls moves right, next to the nearest node it calls.
 */
export function assignRanks(graph: IndexedGraph): number[] {
  const order = acyclicOrder(graph);
  const place = new Array<number>(graph.count).fill(0);
  order.forEach((node, i) => (place[node] = i));
  const forward = graph.edges.filter((e) => (place[e.from] ?? 0) < (place[e.to] ?? 0));
  const links = adjacency({ count: graph.count, edges: forward });
  const rank = new Array<number>(graph.count).fill(0);
  for (const node of order) {
    for (const { from } of links.in[node] ?? []) {
      rank[node] = Math.max(rank[node] ?? 0, (rank[from] ?? 0) + 1);
    }
  }
  for (const node of [...order].reverse()) {
    const callees = links.out[node] ?? [];
    if ((links.in[node] ?? []).length > 0 || callees.length === 0) continue;
    rank[node] = Math.min(...callees.map(({ to }) => rank[to] ?? 1)) - 1;
  }
  return rank;
}

/** Connected parts as lists of node indexes, each ascending. */
export function components(graph: IndexedGraph): number[][] {
  const links = adjacency(graph);
  const seen = new Array<boolean>(graph.count).fill(false);
  const found: number[][] = [];
  for (let start = 0; start < graph.count; start += 1) {
    if (seen[start]) continue;
    seen[start] = true;
    const part = [start];
    for (let i = 0; i < part.length; i += 1) {
      const node = part[i] ?? 0;
      const others = [
        ...(links.out[node] ?? []).map((e) => e.to),
        ...(links.in[node] ?? []).map((e) => e.from),
      ];
      for (const other of others) {
        if (seen[other]) continue;
        seen[other] = true;
        part.push(other);
      }
    }
    found.push(part.sort((a, b) => a - b));
  }
  return found;
}
