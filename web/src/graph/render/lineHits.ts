// Which line lies under the pointer. Pure; in layout units, so that nothing has to be projected.
// Asked of the CPU rather than drawn a second time into a picking buffer: for twenty thousand
// lines that is a few milliseconds now and then instead of double the work in every frame.
import type { Point } from '../layout/types';
import { controlPoint } from './curve';

export interface HitLine {
  key: string;
  from: Point;
  to: Point;
  curvature: number;
}

interface Curve {
  key: string;
  from: Point;
  control: Point;
  to: Point;
}

const samples = 12;

export class LineHits {
  private readonly curves: Curve[] = [];
  private readonly loops: HitLine[] = [];

  constructor(lines: readonly HitLine[]) {
    for (const line of lines) {
      const { key, from, to, curvature } = line;
      if (from.x === to.x && from.y === to.y) this.loops.push(line);
      else this.curves.push({ key, from, to, control: controlPoint(from, to, curvature) });
    }
  }

  /** The nearest line within the tolerance; loops have the given radius, above their node. */
  at(point: Point, tolerance: number, loopOf: (key: string) => LoopPlace | null): string | null {
    let best: string | null = null;
    let bestDistance = tolerance;
    for (const curve of this.curves) {
      if (!isNear(point, curve, bestDistance)) continue;
      const distance = distanceTo(point, curve);
      if (distance <= bestDistance) [best, bestDistance] = [curve.key, distance];
    }
    for (const { key } of this.loops) {
      const loop = loopOf(key);
      if (!loop) continue;
      const away = Math.hypot(point.x - loop.centre.x, point.y - loop.centre.y);
      const distance = Math.abs(away - loop.radius);
      if (distance <= bestDistance) [best, bestDistance] = [key, distance];
    }
    return best;
  }
}

export interface LoopPlace {
  centre: Point;
  radius: number;
}

function isNear({ x, y }: Point, { from, control, to }: Curve, margin: number): boolean {
  return (
    x >= Math.min(from.x, control.x, to.x) - margin &&
    x <= Math.max(from.x, control.x, to.x) + margin &&
    y >= Math.min(from.y, control.y, to.y) - margin &&
    y <= Math.max(from.y, control.y, to.y) + margin
  );
}

function distanceTo(point: Point, { from, control, to }: Curve): number {
  let nearest = Infinity;
  let before = from;
  for (let i = 1; i <= samples; i += 1) {
    const t = i / samples;
    const s = 1 - t;
    const next = {
      x: s * s * from.x + 2 * s * t * control.x + t * t * to.x,
      y: s * s * from.y + 2 * s * t * control.y + t * t * to.y,
    };
    nearest = Math.min(nearest, distanceToSegment(point, before, next));
    before = next;
  }
  return nearest;
}

function distanceToSegment(point: Point, a: Point, b: Point): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : ((point.x - a.x) * dx + (point.y - a.y) * dy) / length;
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(point.x - a.x - t * dx, point.y - a.y - t * dy);
}
