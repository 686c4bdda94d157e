// The levels that make sense here: processes and hosts always, the rest where a cluster is watched.
import { allLevels, type Level } from '../domain/entity';
import { useStatus } from './queries';

const hostLevels: readonly Level[] = ['process', 'host'];

export function useLevels(): readonly Level[] {
  const given = useStatus().data?.levels;
  return given ? allLevels.filter((level) => given.includes(level)) : hostLevels;
}
