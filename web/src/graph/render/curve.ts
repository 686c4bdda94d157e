// The middle of a line on the screen: the same curve as the line program's, for text on it.
import type { Point } from '../layout/types';

interface End extends Point {
  radius: number;
}

/** y grows downwards here and upwards in the shader, hence the other sign of the normal. */
export function curveMiddle(from: End, to: End, curvature: number, scale: number): Point {
  const chord = Math.hypot(to.x - from.x, to.y - from.y);
  if (chord < 0.5) {
    const loop = from.radius * 0.62;
    return { x: from.x, y: from.y - from.radius - loop * 1.55 };
  }
  const bulge = Math.min(chord * curvature, 90 * scale * (curvature / 0.2));
  const normal = { x: (to.y - from.y) / chord, y: (from.x - to.x) / chord };
  return {
    x: (from.x + to.x) / 2 + normal.x * bulge,
    y: (from.y + to.y) / 2 + normal.y * bulge,
  };
}
