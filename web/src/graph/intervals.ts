// The five intervals of a fill metric: made from the values or set by hand, and what they say of
// one value. Pure. Colours are base/palette's.

/** Five intervals have six bounds; each interval holds its lower bound, the last holds both. */
export type Bounds = readonly [number, number, number, number, number, number];

/** 0 to 4, or null: outside the bounds, or no value. */
export type Step = 0 | 1 | 2 | 3 | 4 | null;

export interface Extent {
  min: number;
  max: number;
}

/** Values further apart than this factor get intervals of equal ratio instead of equal width. */
const linearSpreadMax = 25;

export function extentOf(values: Iterable<number | null | undefined>): Extent | null {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (value === null || value === undefined || !Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return min <= max ? { min, max } : null;
}

/** Between the smallest and the largest value; null where there is none. */
export function automaticBounds(values: readonly (number | null | undefined)[]): Bounds | null {
  const extent = extentOf(values);
  if (!extent) return null;
  const { min, max } = extent;
  const positive = extentOf(values.filter((v) => v !== null && v !== undefined && v > 0));
  const isWide = positive !== null && positive.max / positive.min > linearSpreadMax;
  if (isWide && min >= 0) return ratioBounds(min, positive.min, max);
  return ascending([0, 1, 2, 3, 4, 5].map((i) => min + ((max - min) * i) / 5));
}

function ratioBounds(min: number, smallest: number, max: number): Bounds {
  const ratio = (max / smallest) ** (1 / 5);
  const inner = [1, 2, 3, 4].map((i) => roundTo(smallest * ratio ** i, 2));
  return ascending([min, ...inner, max]);
}

/** To so many significant digits, as a person would write the bound. */
export function roundTo(value: number, digits: number): number {
  return value === 0 ? 0 : Number(value.toPrecision(digits));
}

function ascending(values: readonly number[]): Bounds {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted as unknown as Bounds;
}

export function stepOf(value: number | null | undefined, bounds: Bounds | null): Step {
  if (value === null || value === undefined || !bounds) return null;
  if (value < bounds[0] || value > bounds[5]) return null;
  for (let step = 4; step > 0; step -= 1) {
    if (value >= (bounds[step] ?? Infinity) && bounds[step] !== bounds[0]) return step as Step;
  }
  return 0;
}

/** `0..5` or `0,1,2,3,4,5`, rising; null for anything else, so that a bad link still opens. */
export function parseBounds(text: string | undefined): Bounds | null {
  if (!text) return null;
  const ends = text.split('..');
  if (ends.length === 2) {
    const [low, high] = ends.map(Number);
    if (!isNumber(low) || !isNumber(high) || low >= high) return null;
    return ascending([0, 1, 2, 3, 4, 5].map((i) => low + ((high - low) * i) / 5));
  }
  const parts = text.split(',');
  const values = parts.map(Number);
  if (values.length !== 6 || parts.some((part) => part.trim() === '')) return null;
  const rises = values.every((v, i) => isNumber(v) && (i === 0 || v >= (values[i - 1] ?? 0)));
  return rises && (values[0] ?? 0) < (values[5] ?? 0) ? (values as unknown as Bounds) : null;
}

function isNumber(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value);
}

export function boundsText(bounds: Bounds): string {
  return bounds.map((bound) => String(Number(bound.toPrecision(6)))).join(',');
}

/** Moves one bound; its neighbours are pushed rather than crossed. */
export function moveBound(bounds: Bounds, index: number, value: number): Bounds {
  const moved: number[] = [...bounds];
  moved[index] = value;
  for (let i = index + 1; i < 6; i += 1) moved[i] = Math.max(moved[i] ?? value, value);
  for (let i = index - 1; i >= 0; i -= 1) moved[i] = Math.min(moved[i] ?? value, value);
  return moved as unknown as Bounds;
}

export interface HistogramBin {
  low: number;
  high: number;
  count: number;
}

/** Where a value stands between the ends of an axis, 0 to 1, and back. */
export interface Axis {
  low: number;
  high: number;
  isLog: boolean;
  position(value: number): number;
  value(position: number): number;
}

/** An axis that holds all values and all bounds. Logarithmic (from 1) where they lie far apart. */
export function valueAxis(
  values: readonly (number | null | undefined)[],
  bounds: Bounds | null,
): Axis {
  const all = extentOf([...values, ...(bounds ?? [])]) ?? { min: 0, max: 1 };
  const low = all.min;
  const high = all.max > low ? all.max : low + 1;
  const positive = extentOf(values.filter((v) => v !== null && v !== undefined && v > 0));
  const isLog = low >= 0 && positive !== null && high / positive.min > linearSpreadMax;
  if (!isLog) {
    const position = (v: number) => clamp01((v - low) / (high - low));
    return { low, high, isLog, position, value: (p) => low + (high - low) * clamp01(p) };
  }
  const shift = low > 0 ? 0 : positive.min;
  const start = Math.log(low + shift);
  const span = Math.log(high + shift) - start;
  return {
    low,
    high,
    isLog,
    position: (v) => clamp01((Math.log(Math.max(0, v) + shift) - start) / span),
    value: (p) => Math.exp(start + span * clamp01(p)) - shift,
  };
}

function clamp01(value: number): number {
  return Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0;
}

export function histogram(
  values: readonly (number | null | undefined)[],
  axis: Axis,
  binCount: number,
): HistogramBin[] {
  const bins = Array.from({ length: binCount }, (_, i) => ({
    low: axis.value(i / binCount),
    high: axis.value((i + 1) / binCount),
    count: 0,
  }));
  for (const value of values) {
    if (value === null || value === undefined) continue;
    const bin = bins[Math.min(binCount - 1, Math.floor(axis.position(value) * binCount))];
    if (bin) bin.count += 1;
  }
  return bins;
}
