// Where each entity was last drawn, per view, kept in this browser. Positions that people chose
// (pinned) outlive those that a layout chose when room runs out.
import { readSetting, removeSetting, writeSetting } from '../base/storage';
import type { Known, KnownPositions } from './layout/stable';

/** Positions kept per view; the oldest unpinned ones go first. */
const positionsMax = 6000;
/** Views kept; the one not opened for longest goes first. */
const scopesMax = 12;

const indexKey = 'map.scopes';
const positionsKey = (scope: string) => `map.positions.${scope}`;

/** Compact, because storage is small: x, y, and 1 where pinned. */
type Stored = Record<string, [number, number] | [number, number, 1]>;

function isStored(value: unknown): value is Stored {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every(
      (entry) => Array.isArray(entry) && entry.length >= 2 && entry.every(Number.isFinite),
    )
  );
}

function isStringList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

export function readPositions(scope: string): Record<string, Known> {
  const stored = readSetting(positionsKey(scope), isStored) ?? {};
  const known: Record<string, Known> = {};
  for (const [key, [x, y, pinned]] of Object.entries(stored)) {
    known[key] = { x, y, pinned: pinned === 1 };
  }
  return known;
}

export function writePositions(scope: string, known: KnownPositions): void {
  const stored: Stored = {};
  for (const [key, { x, y, pinned }] of bounded(known)) {
    const point: [number, number] = [Math.round(x), Math.round(y)];
    stored[key] = pinned ? [...point, 1] : point;
  }
  writeSetting(positionsKey(scope), stored);
  touchScope(scope);
}

export function forgetPositions(scope: string): void {
  removeSetting(positionsKey(scope));
}

/** The newest (last written) entries, pinned ones before all others. */
export function bounded(known: KnownPositions): [string, Known][] {
  const entries = Object.entries(known);
  if (entries.length <= positionsMax) return entries;
  const pinned = entries.filter(([, place]) => place.pinned).slice(-positionsMax);
  const room = positionsMax - pinned.length;
  const others = entries.filter(([, place]) => !place.pinned);
  return [...pinned, ...(room > 0 ? others.slice(-room) : [])];
}

function touchScope(scope: string): void {
  const scopes = (readSetting(indexKey, isStringList) ?? []).filter((other) => other !== scope);
  scopes.push(scope);
  for (const gone of scopes.splice(0, Math.max(0, scopes.length - scopesMax))) {
    removeSetting(positionsKey(gone));
  }
  writeSetting(indexKey, scopes);
}
