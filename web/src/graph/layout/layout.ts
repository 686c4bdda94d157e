// Which layout a graph gets. Pure; runs in the worker.
import { hasTellingGroups, islandLayout, type Grouped } from './islands';
import { layeredLayout } from './layered';
import { keepKnown, type KnownPositions } from './stable';
import type { LayoutInput, Positions } from './types';

/** Above this, nodes of one group become an island unasked, where there are groups to tell apart. */
export const ungroupedNodesMax = 150;
/** Above this, ranks would be too wide to read, groups or not. */
export const layeredNodesMax = 400;

export interface LayoutRequest extends LayoutInput {
  known: KnownPositions;
}

export function isIslands(input: Grouped): boolean {
  const { length } = input.nodes;
  const isForGroups = input.isGrouped || length > ungroupedNodesMax;
  return length > layeredNodesMax || (isForGroups && hasTellingGroups(input));
}

export function layOut(request: LayoutRequest): Positions {
  const { nodes, known } = request;
  const everyNodeKnown = nodes.every((node) => known[node.key]);
  if (everyNodeKnown) return keepKnown(request, {}, known);
  const fresh = isIslands(request) ? islandLayout(request) : layeredLayout(request);
  return keepKnown(request, fresh, known);
}
