import { describe, expect, it } from 'vitest';
import {
  automaticBounds,
  boundsText,
  histogram,
  moveBound,
  parseBounds,
  stepOf,
  valueAxis,
  type Bounds,
} from './intervals';

const tens: Bounds = [0, 10, 20, 30, 40, 50];

describe('automaticBounds', () => {
  it.each([
    {
      name: 'close values get equal widths',
      values: [10, 20, 60],
      bounds: [10, 20, 30, 40, 50, 60],
    },
    {
      name: 'far values get equal ratios',
      values: [1, 100_000],
      bounds: [1, 10, 100, 1000, 10_000, 100_000],
    },
    {
      name: 'zeros belong to the first interval',
      values: [0, 1, 100_000],
      bounds: [0, 10, 100, 1000, 10_000, 100_000],
    },
    {
      name: 'absent values do not count',
      values: [null, 10, undefined, 60],
      bounds: [10, 20, 30, 40, 50, 60],
    },
    { name: 'one value', values: [5], bounds: [5, 5, 5, 5, 5, 5] },
  ])('$name', ({ values, bounds }) => {
    expect(automaticBounds(values)).toEqual(bounds);
  });

  it('is absent without any value', () => {
    expect(automaticBounds([null, undefined])).toBeNull();
  });

  it('leaves no value between its ends outside', () => {
    const values = [3, 17, 17.5, 240, 9000, 12_345.678];
    const bounds = automaticBounds(values);
    expect(values.map((value) => stepOf(value, bounds))).not.toContain(null);
  });
});

describe('stepOf', () => {
  it.each([
    [0, 0],
    [9.9, 0],
    [10, 1],
    [39, 3],
    [40, 4],
    [50, 4],
    [50.1, null],
    [-1, null],
    [null, null],
    [undefined, null],
  ])('%s is in %s', (value, step) => {
    expect(stepOf(value, tens)).toBe(step);
  });

  it('has no step without bounds, and the lowest when all values are equal', () => {
    expect(stepOf(5, null)).toBeNull();
    expect(stepOf(5, [5, 5, 5, 5, 5, 5])).toBe(0);
  });
});

describe('bounds in the address', () => {
  it('come back as they went', () => {
    expect(parseBounds(boundsText(tens))).toEqual(tens);
    expect(parseBounds(boundsText([0, 0.5, 1.25, 2, 3, 4]))).toEqual([0, 0.5, 1.25, 2, 3, 4]);
  });

  it('may be two ends', () => {
    expect(parseBounds('0..50')).toEqual(tens);
  });

  it.each(['', 'x', '1,2,3', '5,4,3,2,1,0', '1,1,1,1,1,1', '9..1', '0,1,2,3,,5'])(
    '%j is none',
    (text) => {
      expect(parseBounds(text)).toBeNull();
    },
  );
});

describe('moveBound', () => {
  it('pushes what it meets', () => {
    expect(moveBound(tens, 1, 35)).toEqual([0, 35, 35, 35, 40, 50]);
    expect(moveBound(tens, 4, 15)).toEqual([0, 10, 15, 15, 15, 50]);
  });
});

describe('valueAxis', () => {
  it.each([
    { name: 'close values', values: [10, 20, 60] },
    { name: 'far values', values: [1, 10, 1_000_000] },
    { name: 'far values with zeros', values: [0, 3, 1_000_000] },
  ])('goes there and back with $name', ({ values }) => {
    const axis = valueAxis(values, null);
    for (const value of values) expect(axis.value(axis.position(value))).toBeCloseTo(value, 6);
    expect(axis.position(values[0] ?? 0)).toBe(0);
    expect(axis.position(values.at(-1) ?? 0)).toBe(1);
  });

  it('counts every value in one bin', () => {
    const values = [1, 1, 5, 900, 1e6, null];
    const bins = histogram(values, valueAxis(values, null), 8);
    expect(bins.reduce((sum, bin) => sum + bin.count, 0)).toBe(5);
    expect(bins[0]?.count).toBe(3);
    expect(bins[7]?.count).toBe(1);
  });
});
