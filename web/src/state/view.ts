// The state of the view that is open: read from the address bar, written to it.
import { useCallback, useMemo } from 'react';
import { useNavigate, useRouterState } from '@tanstack/react-router';
import type { Scope } from '../api/questions';
import type { Level } from '../domain/entity';
import type { Asked, Layer } from '../domain/layer';
import {
  askedBy,
  decodeSearch,
  layerOf,
  type Perspective,
  type ViewSearch,
} from '../domain/search';
import type { TimeRange } from '../domain/time';
import { useDefaultLevel } from './levels';

/** A view with every shared setting decided. */
export interface View extends ViewSearch {
  from: string;
  to: string;
  level: Level;
  layer: Layer;
  perspective: Perspective;
  filter: string;
}

export type PagePath = '/summary' | '/map' | '/flows' | '/status';

/** What a page shows when its address says nothing else. */
export function pageDefaults(path: string, level: Level | undefined): Partial<ViewSearch> {
  if (path === '/map') return { from: level === 'host' ? 'now-48h' : 'now-15m', every: 0 };
  if (path === '/flows') return { from: 'now-15m', every: 30 };
  return { from: 'now-15m', every: 0 };
}

export function completeView(search: ViewSearch, path: string, level: Level = 'process'): View {
  return {
    to: 'now',
    level,
    layer: layerOf(search),
    perspective: 'merged',
    filter: '',
    ...pageDefaults(path, search.level),
    ...search,
    from: search.from ?? pageDefaults(path, search.level).from ?? 'now-15m',
  };
}

export interface ViewControls {
  view: View;
  /** What the address bar itself says. */
  search: ViewSearch;
  scope: Scope;
  range: TimeRange;
  path: string;
  /** Whether the page shows sums or single rows. */
  asked: Asked;
  /** Changes the address; `undefined` takes a key away. `replace` leaves no step in history. */
  setView: (patch: ViewSearch, options?: { replace?: boolean }) => void;
}

export function useView(): ViewControls {
  const location = useRouterState({ select: (state) => state.location });
  const navigate = useNavigate();
  const path = location.pathname;
  const search = useMemo(
    () => decodeSearch(location.search as Record<string, unknown>),
    [location.search],
  );
  const level = useDefaultLevel();
  const view = useMemo(() => completeView(search, path, level), [search, path, level]);
  const setView = useCallback(
    (patch: ViewSearch, options: { replace?: boolean } = {}) => {
      void navigate({
        to: '.',
        search: ((previous: ViewSearch) => ({ ...previous, ...patch })) as never,
        replace: options.replace ?? false,
      });
    },
    [navigate],
  );
  const scope = useMemo<Scope>(
    () => ({
      from: view.from,
      to: view.to,
      level: view.level,
      layer: view.layer,
      perspective: view.perspective,
      filter: view.filter.trim(),
    }),
    [view.from, view.to, view.level, view.layer, view.perspective, view.filter],
  );
  const range = useMemo(() => ({ from: view.from, to: view.to }), [view.from, view.to]);
  return { view, search, scope, range, path, asked: askedBy(path), setView };
}
