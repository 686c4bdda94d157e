import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Known } from './layout/stable';
import { bounded, forgetPositions, readPositions, writePositions } from './positions';

class MemoryStorage {
  private readonly items = new Map<string, string>();
  getItem = (key: string) => this.items.get(key) ?? null;
  setItem = (key: string, value: string) => void this.items.set(key, value);
  removeItem = (key: string) => void this.items.delete(key);
  get size() {
    return this.items.size;
  }
}

describe('positions', () => {
  let storage: MemoryStorage;
  beforeEach(() => {
    storage = new MemoryStorage();
    vi.stubGlobal('localStorage', storage);
  });
  afterEach(() => vi.unstubAllGlobals());

  it('come back as they went, rounded to whole units', () => {
    writePositions('process', {
      a: { x: 1.4, y: -2.6, pinned: true },
      b: { x: 0, y: 5, pinned: false },
    });
    expect(readPositions('process')).toEqual({
      a: { x: 1, y: -3, pinned: true },
      b: { x: 0, y: 5, pinned: false },
    });
  });

  it('belong to one view each', () => {
    writePositions('process', { a: { x: 1, y: 1, pinned: false } });
    expect(readPositions('host')).toEqual({});
    forgetPositions('process');
    expect(readPositions('process')).toEqual({});
  });

  it('of another shape are left alone', () => {
    storage.setItem('weir.map.positions.host', '{"a":"left"}');
    expect(readPositions('host')).toEqual({});
  });

  it('of the view not opened for longest go first', () => {
    for (let i = 0; i < 20; i += 1) writePositions(`v${i}`, { a: { x: i, y: 0, pinned: false } });
    expect(readPositions('v0')).toEqual({});
    expect(readPositions('v19')).toEqual({ a: { x: 19, y: 0, pinned: false } });
    expect(storage.size).toBe(13);
  });

  it('beyond the limit go, those that a person chose last', () => {
    const many: Record<string, Known> = { mine: { x: 1, y: 1, pinned: true } };
    for (let i = 0; i < 7000; i += 1) many[`n${i}`] = { x: i, y: i, pinned: false };
    const kept = new Map(bounded(many));
    expect(kept.size).toBe(6000);
    expect(kept.has('mine')).toBe(true);
    expect(kept.has('n0')).toBe(false);
    expect(kept.has('n6999')).toBe(true);
  });
});
