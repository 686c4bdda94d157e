// What is wrong with the filter in the address bar, as any question that used it was told.
import { useQueryClient, type QueryCache } from '@tanstack/react-query';
import { useCallback, useSyncExternalStore } from 'react';
import { Problem } from '../api/client';

function findProblem(cache: QueryCache, filter: string): Problem | null {
  for (const query of cache.getAll()) {
    const { error } = query.state;
    const active = query.getObserversCount() > 0;
    if (!active || !(error instanceof Problem)) continue;
    if (error.parameter === 'filter' && error.filter === filter) return error;
  }
  return null;
}

export function useFilterProblem(filter: string): Problem | null {
  const cache = useQueryClient().getQueryCache();
  const subscribe = useCallback((changed: () => void) => cache.subscribe(changed), [cache]);
  return useSyncExternalStore(subscribe, () => (filter === '' ? null : findProblem(cache, filter)));
}
