// What a layout takes and gives. Coordinates are layout units (pixels at zoom 1), y grows
// downwards. Plain data: it crosses to the worker and back.
import type { Side } from '../model';

export interface LayoutNode {
  key: string;
  side: Side;
  group: string | null;
  /** Heavier nodes come first where nothing else decides. */
  weight: number;
}

export interface LayoutEdge {
  client: string;
  server: string;
  weight: number;
}

export interface LayoutInput {
  nodes: readonly LayoutNode[];
  edges: readonly LayoutEdge[];
  /** Whether groups were asked for, and not only where nodes are many. */
  isGrouped: boolean;
}

export interface Point {
  x: number;
  y: number;
}

export type Positions = Record<string, Point>;

/** Room for a node, its label below it and a gap: no two nodes come closer. */
export const rowGap = 86;
export const columnGap = 140;
/** Between two ranks, so that lines between them can be followed. */
export const rankGap = 190;
