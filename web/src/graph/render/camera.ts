// Where the map is looked at from: a centre in layout units and how many pixels one unit has.
// Sigma normalises a graph to its extent; pinning that extent to the container's size makes one
// layout unit one pixel at ratio 1, and keeps it so when nodes come and go.
import type Sigma from 'sigma';
import type { Point } from '../layout/types';

export interface Room {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const scaleMax = 2;
export const scaleMin = 0.04;
/** A small graph is not blown up to fill the screen. */
const fitScaleMax = 1.15;

export function pinExtent(sigma: Sigma): void {
  const { width, height } = sigma.getDimensions();
  sigma.setCustomBBox({ x: [-width / 2, width / 2], y: [-height / 2, height / 2] });
}

/** The centre of the view in layout units. */
export function centreOf(sigma: Sigma): Point {
  const { width, height } = sigma.getDimensions();
  const side = Math.max(width, height);
  const { x, y } = sigma.getCamera().getState();
  return { x: (x - 0.5) * side, y: (0.5 - y) * side };
}

export function cameraAt(sigma: Sigma, centre: Point, scale: number) {
  const { width, height } = sigma.getDimensions();
  const side = Math.max(width, height);
  return { x: 0.5 + centre.x / side, y: 0.5 - centre.y / side, ratio: 1 / scale, angle: 0 };
}

/** The camera that shows all points with room for their labels. */
export function fitCamera(sigma: Sigma, points: readonly Point[]) {
  const room = roomOf(points);
  const { width, height } = sigma.getDimensions();
  const [marginX, marginY] = [Math.min(84, width * 0.13), Math.min(64, height * 0.1)];
  const scale = Math.min(
    fitScaleMax,
    (width - 2 * marginX) / Math.max(1, room.right - room.left),
    (height - 2 * marginY) / Math.max(1, room.bottom - room.top),
  );
  const centre = { x: (room.left + room.right) / 2, y: (room.top + room.bottom) / 2 };
  return cameraAt(sigma, centre, Math.max(scaleMin, scale));
}

export function roomOf(points: readonly Point[]): Room {
  const room = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const { x, y } of points) {
    room.left = Math.min(room.left, x);
    room.right = Math.max(room.right, x);
    room.top = Math.min(room.top, y);
    room.bottom = Math.max(room.bottom, y);
  }
  return points.length === 0 ? { left: 0, top: 0, right: 0, bottom: 0 } : room;
}
