// Keeping what is where it was: known nodes stay, new nodes find a free place near where a fresh
// layout would put them. Pure.
import type { LayoutInput, Point, Positions } from './types';
import { columnGap, rowGap } from './types';

/** With fewer known nodes than this share, a fresh layout is clearer than a patched one. */
const knownShareMin = 0.5;

/** What is remembered of one node. Pinned: a person put it there. */
export interface Known extends Point {
  pinned: boolean;
}

export type KnownPositions = Readonly<Record<string, Known>>;

/** The fresh layout, with known nodes where they were. */
export function keepKnown(input: LayoutInput, fresh: Positions, known: KnownPositions): Positions {
  const keys = input.nodes.map((node) => node.key);
  const remembered = keys.filter((key) => known[key]);
  const isPatch = remembered.length >= keys.length * knownShareMin;
  const kept = isPatch ? remembered : remembered.filter((key) => known[key]?.pinned);
  const result: Positions = {};
  for (const key of kept) {
    const place = known[key];
    if (place) result[key] = { x: place.x, y: place.y };
  }
  if (kept.length === keys.length) return result;
  if (!isPatch) return { ...fresh, ...result };
  const occupied = new Occupied();
  for (const point of Object.values(result)) occupied.add(point);
  const near = neighbours(input);
  for (const key of keys) {
    if (result[key]) continue;
    const wanted = shifted(key, fresh, result, near.get(key) ?? []);
    const free = occupied.nearestFree(wanted);
    occupied.add(free);
    result[key] = free;
  }
  return result;
}

function neighbours(input: LayoutInput): Map<string, string[]> {
  const near = new Map<string, string[]>();
  const add = (key: string, other: string) => {
    const list = near.get(key);
    if (list) list.push(other);
    else near.set(key, [other]);
  };
  for (const { client, server } of input.edges) {
    if (client === server) continue;
    add(client, server);
    add(server, client);
  }
  return near;
}

/** The fresh place, moved as its placed neighbours (or, without any, all placed nodes) moved. */
function shifted(key: string, fresh: Positions, placed: Positions, near: readonly string[]): Point {
  const own = fresh[key] ?? { x: 0, y: 0 };
  const close = near.filter((other) => placed[other] && fresh[other]);
  const guides = close.length > 0 ? close : Object.keys(placed).filter((other) => fresh[other]);
  if (guides.length === 0) return own;
  let dx = 0;
  let dy = 0;
  for (const guide of guides) {
    dx += (placed[guide]?.x ?? 0) - (fresh[guide]?.x ?? 0);
    dy += (placed[guide]?.y ?? 0) - (fresh[guide]?.y ?? 0);
  }
  return { x: own.x + dx / guides.length, y: own.y + dy / guides.length };
}

const cellWidth = columnGap * 0.8;
const cellHeight = rowGap * 0.8;
const searchRings = 60;

/** Points in a grid of cells the size of a node with its label. */
class Occupied {
  private readonly cells = new Map<string, Point[]>();

  add(point: Point): void {
    const key = this.cell(point);
    const list = this.cells.get(key);
    if (list) list.push(point);
    else this.cells.set(key, [point]);
  }

  /** The wanted point, or the nearest one on widening rings that is clear of all others. */
  nearestFree(wanted: Point): Point {
    if (this.isFree(wanted)) return wanted;
    for (let ring = 1; ring <= searchRings; ring += 1) {
      for (let i = 0; i < ring * 6; i += 1) {
        const angle = Math.PI / 2 + (i * 2 * Math.PI) / (ring * 6);
        const point = {
          x: wanted.x + Math.cos(angle) * ring * cellWidth * 0.5,
          y: wanted.y + Math.sin(angle) * ring * cellHeight * 0.5,
        };
        if (this.isFree(point)) return point;
      }
    }
    return wanted;
  }

  private isFree({ x, y }: Point): boolean {
    for (const dx of [-cellWidth, 0, cellWidth]) {
      for (const dy of [-cellHeight, 0, cellHeight]) {
        const others = this.cells.get(this.cell({ x: x + dx, y: y + dy })) ?? [];
        const isClear = (o: Point) =>
          Math.abs(o.x - x) >= cellWidth || Math.abs(o.y - y) >= cellHeight;
        if (!others.every(isClear)) return false;
      }
    }
    return true;
  }

  private cell({ x, y }: Point): string {
    return `${Math.floor(x / cellWidth)}:${Math.floor(y / cellHeight)}`;
  }
}
