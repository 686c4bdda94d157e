// The scene for what is laid out.
import { useMemo } from 'react';
import type { Bounds } from '../../graph/intervals';
import { buildScene, type Scene } from '../../graph/scene';
import type { LaidOut } from './useLayout';
import type { Changes } from './useMapModel';

export function useMapScene(
  laidOut: LaidOut | null,
  metric: string,
  bounds: Bounds | null,
  changes: Changes,
): Scene | null {
  return useMemo(() => {
    if (!laidOut) return null;
    const isNew = (key: string) => changes.added.has(key);
    return buildScene(laidOut.model, laidOut.positions, { metric, bounds }, isNew);
  }, [laidOut, metric, bounds, changes]);
}
