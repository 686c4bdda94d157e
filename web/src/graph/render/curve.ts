// The curve of a line in layout units: the same as the line program's, for text on it and for
// finding it under the pointer. y grows downwards here and upwards in the shader.
import type { Point } from '../layout/types';

/** The farthest a curve of curvature 0.2 bends; others in proportion. */
const bulgeMax = 90;

/** Of the quadratic curve; both ends must differ. */
export function controlPoint(from: Point, to: Point, curvature: number): Point {
  const chord = Math.hypot(to.x - from.x, to.y - from.y);
  const bulge = Math.min(chord * curvature, bulgeMax * (curvature / 0.2));
  return {
    x: (from.x + to.x) / 2 + ((to.y - from.y) / chord) * bulge * 2,
    y: (from.y + to.y) / 2 - ((to.x - from.x) / chord) * bulge * 2,
  };
}

export function curveMiddle(from: Point, to: Point, curvature: number): Point {
  const control = controlPoint(from, to, curvature);
  return { x: (from.x + 2 * control.x + to.x) / 4, y: (from.y + 2 * control.y + to.y) / 4 };
}

/** A line from a node to itself: a circle on top of it, in units of the node's radius. */
export const loop = { radius: 0.62, rise: 1 + 0.62 * 0.55 } as const;
