// How much traffic becomes how many pixels. Pure. All scales are logarithmic; the legend says so.

export interface LogScale {
  (value: number): number;
  /** The traffic at the thin and the thick end. */
  readonly low: number;
  readonly high: number;
}

/** Radius of the smallest and the largest node, in layout units (pixels at zoom 1). */
export const nodeRadius = { min: 14, max: 29 } as const;
/** Width of the thinnest and the thickest line. */
export const lineWidth = { min: 1.1, max: 7 } as const;

/** No scale spreads less than this factor: two nearly equal values get nearly equal sizes. */
const spreadMin = 64;

/** From the values themselves; nothing and everything equal both give the lower middle. */
export function logScale(values: Iterable<number>, out: { min: number; max: number }): LogScale {
  let low = Infinity;
  let high = 0;
  for (const value of values) {
    if (value > 0 && value < low) low = value;
    if (value > high) high = value;
  }
  if (high === 0) return constantScale(out.min);
  low = Math.max(1, Math.min(low, high / spreadMin));
  const span = Math.log(Math.max(high, low * 2) / low);
  const scale = (value: number): number => {
    if (!(value > low)) return out.min;
    return out.min + (out.max - out.min) * Math.min(1, Math.log(value / low) / span);
  };
  return Object.assign(scale, { low, high });
}

function constantScale(size: number): LogScale {
  return Object.assign(() => size, { low: 0, high: 0 });
}
