// The levels that make sense here: processes and hosts always, the rest where something is named by
// them; and the level of a view that does not say one.
import { useQuery } from '@tanstack/react-query';
import { fetchStatus } from '../api/questions';
import type { StatusAnswer } from '../api/types';
import { allLevels, type Level } from '../domain/entity';
import { useStatus } from './queries';

const hostLevels: readonly Level[] = ['process', 'host'];

export function useLevels(): readonly Level[] {
  const given = useStatus().data?.levels;
  return given ? allLevels.filter((level) => given.includes(level)) : hostLevels;
}

/** What one fact of the status is; asks nothing of its own, and is only told when the fact changes. */
function useStatusFact<T>(select: (status: StatusAnswer) => T): T | undefined {
  const query = useQuery({
    queryKey: ['weir', 'status'],
    queryFn: ({ signal }) => fetchStatus(signal),
    staleTime: Infinity,
    select,
  });
  return query.data;
}

const defaultLevel = ({ levels }: StatusAnswer): Level =>
  levels.includes('pod') ? 'deployment' : 'process';

/** Workloads where Pods are known, else processes. */
export function useDefaultLevel(): Level {
  return useStatusFact(defaultLevel) ?? 'process';
}

const countClusters = ({ clusters }: StatusAnswer): number => clusters.length;

/** How many clusters are watched; absent until the server said. */
export function useClusterCount(): number | undefined {
  return useStatusFact(countClusters);
}
