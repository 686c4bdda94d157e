import { describe, expect, it } from 'vitest';
import {
  absoluteRange,
  isRelative,
  parseSpan,
  parseTyped,
  previousRange,
  rangeLabel,
  resolveBound,
  resolveRange,
  shiftRange,
  spanText,
} from './time';

const now = Date.parse('2026-11-21T12:00:00Z');
const minute = 60_000;

describe('lengths', () => {
  it.each([
    ['15m', 15 * minute],
    ['2d', 2 * 86_400_000],
    ['1h30m', 90 * minute],
    ['20 min', 20 * minute],
    ['3 hours', 180 * minute],
    ['90s', 90_000],
    ['0m', null],
    ['', null],
    ['15', null],
    ['m', null],
    ['5 parsecs', null],
  ])('%s', (text, ms) => expect(parseSpan(text)).toBe(ms));

  it.each([
    [15 * minute, '15m'],
    [2 * 86_400_000, '2d'],
    [90_000, '90s'],
    [90 * minute, '90m'],
  ])('%d in the API’s spelling', (ms, text) => expect(spanText(ms)).toBe(text));
});

describe('bounds', () => {
  it.each([
    ['now', now],
    ['now-15m', now - 15 * minute],
    ['1795262400000', 1795262400000],
    ['2026-11-21T10:00:00Z', Date.parse('2026-11-21T10:00:00Z')],
    ['2026-11-21T10:00:00+02:00', Date.parse('2026-11-21T08:00:00Z')],
    ['now-', null],
    ['yesterday', null],
    ['25:00', null],
    ['2026-13-45', null],
  ])('%s', (text, ms) => expect(resolveBound(text, now)).toBe(ms));
});

describe('typed ranges', () => {
  it.each([
    ['20m', { from: 'now-20m', to: 'now' }],
    ['last 3 hours', { from: 'now-3h', to: 'now' }],
    ['now-1h', { from: 'now-1h', to: 'now' }],
    ['now-2h to now-1h', { from: 'now-2h', to: 'now-1h' }],
    [
      '2026-11-20T10:00:00Z to 2026-11-20T11:00:00Z',
      { from: '1795168800000', to: '1795172400000' },
    ],
    ['2026-11-20T10:00:00Z - now', { from: '1795168800000', to: 'now' }],
    ['now-1h to now-2h', null],
    ['2026-11-22T00:00:00Z', null],
    ['whenever', null],
    ['', null],
  ])('%s', (text, range) => expect(parseTyped(text, now)).toEqual(range));
});

describe('moving', () => {
  it('back by its own length', () => {
    const moved = shiftRange({ from: 'now-15m', to: 'now' }, -1, now);
    expect(moved).toEqual(absoluteRange(now - 30 * minute, now - 15 * minute));
    expect(isRelative(moved)).toBe(false);
  });

  it('forward to the present becomes relative again', () => {
    const back = absoluteRange(now - 30 * minute, now - 15 * minute);
    expect(shiftRange(back, 1, now)).toEqual({ from: 'now-15m', to: 'now' });
  });

  it('the period before ends where this one begins', () => {
    expect(previousRange({ from_ms: 1000, to_ms: 1600 })).toEqual({ from: '400', to: '1000' });
  });

  it('an unreadable bound gives the last 15 minutes', () => {
    const range = { from: 'soon', to: 'now' };
    expect(resolveRange(range, now)).toEqual({ fromMs: now - 15 * minute, toMs: now });
  });

  it('is told in words', () => {
    expect(rangeLabel({ from: 'now-15m', to: 'now' }, now)).toBe('Last 15 min');
    expect(rangeLabel({ from: 'now-48h', to: 'now' }, now)).toBe('Last 2 d');
  });
});
