// What can be done with a node or a path of the map. Each is a change of address, so that the
// browser's Back undoes it.
import { useNavigate } from '@tanstack/react-router';
import { useCallback, useMemo } from 'react';
import { encodeDetails, type DetailsTab } from '../../domain/details';
import { entityClauses, type Entity } from '../../domain/entity';
import { rowsSearch, searchFor, type ViewSearch } from '../../domain/search';
import type { MapEdge, MapModel, MapNode } from '../../graph/model';
import type { PagePath } from '../../state/view';
import type { MapControls } from './mapView';

export interface MapActions {
  select: (key: string | null) => void;
  focus: (key: string, depth: number) => void;
  unfocus: () => void;
  nodeDetails: (node: MapNode, tab?: DetailsTab) => void;
  edgeDetails: (edge: MapEdge) => void;
  /** Other pages narrowed to the node or the path; null where no filter can name it. */
  open: (page: PagePath, clauses: readonly string[]) => void;
  clausesOf: (node: MapNode) => string[];
  edgeClauses: (edge: MapEdge) => string[];
  filterFor: (clauses: readonly string[], isOut: boolean) => void;
}

export function useMapActions({ view, setView }: MapControls, model: MapModel): MapActions {
  const navigate = useNavigate();
  const { filter, level } = view;
  const joined = useCallback(
    (clauses: readonly string[]) => [filter.trim(), ...clauses].filter(Boolean).join(' '),
    [filter],
  );
  return useMemo((): MapActions => {
    const entityOf = (key: string): Entity | null => model.byKey.get(key)?.entity ?? null;
    return {
      select: (key) => setView({ selected: key ?? undefined }, { replace: true }),
      focus: (key, depth) => setView({ focus: key, depth, selected: key, q: undefined }),
      unfocus: () => setView({ focus: undefined, depth: undefined }),
      nodeDetails: ({ entity }, tab) =>
        setView({ details: encodeDetails({ kind: 'entity', entity }), tab }),
      edgeDetails: (edge) => {
        const client = entityOf(edge.client);
        const server = entityOf(edge.server);
        if (client && server) setView({ details: encodeDetails({ kind: 'pair', client, server }) });
      },
      open: (page, clauses) => {
        const shared = page === '/flows' ? rowsSearch : searchFor(page);
        const search = (previous: ViewSearch) =>
          shared({ ...previous, filter: joined(clauses) || undefined });
        void navigate({ to: page, search: search as never });
      },
      clausesOf: (node) => entityClauses(node.entity, 'either', level),
      edgeClauses: (edge) => {
        const client = entityOf(edge.client);
        const server = entityOf(edge.server);
        return [
          ...(client ? entityClauses(client, 'client', level) : []),
          ...(server ? entityClauses(server, 'server', level) : []),
        ];
      },
      filterFor: (clauses, isOut) => {
        const positive = clauses.filter((clause) => !clause.startsWith('-'));
        const wrapped = positive.length > 1 ? `-(${positive.join(' ')})` : `-${positive[0] ?? ''}`;
        setView({ filter: joined(isOut ? [wrapped] : clauses) });
      },
    };
  }, [model, setView, navigate, joined, level]);
}
