import { describe, expect, it } from 'vitest';
import { completeView } from './view';

describe('a view', () => {
  it.each([
    ['/summary', {}, { from: 'now-15m', to: 'now', every: 0 }],
    ['/flows', {}, { from: 'now-15m', every: 30 }],
    ['/summary', { level: 'service' as const }, { layer: 'l7' }],
    ['/summary', { level: 'host' as const }, { layer: 'l4' }],
    ['/map', {}, { from: 'now-15m' }],
    ['/map', { level: 'host' as const }, { from: 'now-48h' }],
  ])('%s with %j has its own defaults', (path, search, expected) => {
    expect(completeView(search, path)).toMatchObject(expected);
  });

  it('what the address says wins', () => {
    const search = { from: 'now-1h', level: 'host' as const, every: 0, filter: 'pid:1' };
    expect(completeView(search, '/flows')).toMatchObject(search);
  });
});
