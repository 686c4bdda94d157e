import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatChange,
  formatCount,
  formatDuration,
  formatExact,
  formatMicros,
  formatRate,
  formatRatio,
  formatValue,
  plural,
} from './units';

describe('numbers', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [1240, '1.24 kB'],
    [999_600, '1 MB'],
    [1_240_113, '1.24 MB'],
    [12_400_000_000, '12.4 GB'],
    [123_456_789_012, '123 GB'],
  ])('%d bytes', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0.4, '0.4'],
    [7, '7'],
    [12_130, '12.1 k'],
    [2_000_000, '2 M'],
  ])('%d counted', (count, text) => expect(formatCount(count)).toBe(text));

  it.each([
    [0, '0 µs'],
    [830, '830 µs'],
    [999.6, '1 ms'],
    [1240, '1.24 ms'],
    [999_600, '1 s'],
    [2_500_000, '2.5 s'],
    [180e6, '3 min'],
  ])('%d µs', (micros, text) => expect(formatMicros(micros)).toBe(text));

  it.each([
    [250, '250 ms'],
    [45_000, '45 s'],
    [1_200_000, '20 min'],
    [5_400_000, '1 h 30 min'],
    [172_800_000, '2 d'],
    [93_784_000, '1 d 2 h'],
  ])('%d ms long', (ms, text) => expect(formatDuration(ms)).toBe(text));

  it.each([
    [0, '0 %'],
    [0.00001, '<0.01 %'],
    [0.0123, '1.23 %'],
    [0.999, '99.9 %'],
    [1, '100 %'],
  ])('a share of %d', (ratio, text) => expect(formatRatio(ratio)).toBe(text));

  it('shares and rates have their signs', () => {
    expect(formatValue(0.05, 'ratio')).toBe('5 %');
    expect(formatExact(0.012345, 'ratio')).toBe('1.235 %');
    expect(formatValue(1250, 'per_second')).toBe('1.25 k/s');
    expect(formatExact(1250.5, 'per_second')).toBe('1,250.5 per second');
  });

  it('what is not known is not 0', () => {
    expect(formatValue(null, 'bytes')).toBe('–');
    expect(formatValue(0, 'bytes')).toBe('0 B');
    expect(formatRate(undefined, 'bytes')).toBe('–');
    expect(formatExact(null, 'bytes')).toBe('not known');
  });

  it('the exact value has every digit', () => {
    expect(formatExact(1_240_113, 'bytes')).toBe('1,240,113 bytes');
    expect(formatExact(640.5, 'microseconds')).toBe('640.5 µs');
  });

  it.each([
    [112, 100, '+12 %'],
    [96.6, 100, '-3.4 %'],
    [0, 0, '0 %'],
    [5, 0, 'new'],
    [1400, 100, '×14'],
    [null, 3, null],
    [3, null, null],
  ])('%s after %s', (now, before, text) => expect(formatChange(now, before)).toBe(text));

  it('one is not many', () => {
    expect(plural(1, 'path')).toBe('1 path');
    expect(plural(1284, 'path')).toBe('1,284 paths');
  });
});
