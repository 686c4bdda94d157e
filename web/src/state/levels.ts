// The levels that make sense here: processes and hosts always, the rest where a cluster is watched.
import type { Level } from '../domain/entity';
import { useStatus } from './queries';

const hostLevels: readonly Level[] = ['process', 'host'];

export function useLevels(): readonly Level[] {
  return useStatus().data?.levels ?? hostLevels;
}
