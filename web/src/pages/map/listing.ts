// The rows of the list beside the map. Pure.
import type { Emphasis } from '../../graph/emphasis';
import type { MapEdge, MapModel, MapNode } from '../../graph/model';
import { findNodes } from '../../graph/search';

export type ListKind = 'nodes' | 'paths';
export type ListSort = 'value' | 'traffic' | 'name';

export type ListRow =
  | { kind: 'node'; key: string; node: MapNode; isMatched: boolean }
  | {
      kind: 'path';
      key: string;
      edge: MapEdge;
      client: MapNode;
      server: MapNode;
      isMatched: boolean;
    };

/** Nodes that the name search finds; null without a search. */
export function foundNodes(model: MapModel, query: string): ReadonlySet<string> | null {
  if (query.trim() === '') return null;
  return new Set(findNodes(model.nodes, query).map((match) => match.node.key));
}

/**
 * With a search, nodes come by how well they fit and paths are those that touch a found node;
 * otherwise in the chosen order. What the filter leaves out comes last.
 */
export function listRows(
  model: MapModel,
  matched: Emphasis,
  options: { kind: ListKind; sort: ListSort; query: string; fill: string },
): ListRow[] {
  const rows =
    options.kind === 'nodes'
      ? nodeRows(model, matched, options)
      : pathRows(model, matched, options);
  return [...rows.filter((row) => row.isMatched), ...rows.filter((row) => !row.isMatched)];
}

interface Options {
  sort: ListSort;
  query: string;
  fill: string;
}

function nodeRows(model: MapModel, matched: Emphasis, { sort, query, fill }: Options): ListRow[] {
  const isSearch = query.trim() !== '';
  const nodes = isSearch
    ? findNodes(model.nodes, query).map((match) => match.node)
    : [...model.nodes].sort(
        (a, b) => compare(sort, fill, a, b) || a.entity.name.localeCompare(b.entity.name),
      );
  return nodes.map((node) => ({
    kind: 'node',
    key: node.key,
    node,
    isMatched: !matched.nodes || matched.nodes.has(node.key),
  }));
}

function compare(sort: ListSort, fill: string, a: MapNode, b: MapNode): number {
  if (sort === 'value') return descending(a.metrics[fill], b.metrics[fill]);
  return sort === 'traffic' ? b.traffic - a.traffic : 0;
}

function descending(a: number | null | undefined, b: number | null | undefined): number {
  return (b ?? -1) - (a ?? -1);
}

function pathRows(model: MapModel, matched: Emphasis, { sort, query, fill }: Options): ListRow[] {
  const found = foundNodes(model, query);
  const rows = model.edges.flatMap((edge): ListRow[] => {
    const client = model.byKey.get(edge.client);
    const server = model.byKey.get(edge.server);
    if (!client || !server) return [];
    if (found && !found.has(edge.client) && !found.has(edge.server)) return [];
    const isMatched = !matched.edges || matched.edges.has(edge.key);
    return [{ kind: 'path', key: edge.key, edge, client, server, isMatched }];
  });
  const name = (row: ListRow) =>
    row.kind === 'path' ? `${row.client.entity.name}\n${row.server.entity.name}` : '';
  const order = (a: ListRow, b: ListRow) => {
    if (a.kind !== 'path' || b.kind !== 'path') return 0;
    if (sort === 'value') return descending(a.edge.metrics[fill], b.edge.metrics[fill]);
    const traffic = (row: typeof a) => row.edge.sent + row.edge.received;
    return sort === 'traffic' ? traffic(b) - traffic(a) : 0;
  };
  return rows.sort((a, b) => order(a, b) || name(a).localeCompare(name(b)));
}
