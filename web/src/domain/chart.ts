// From series of metrics to what a chart draws: rates, stacks, mirrored sides. Pure.
import type { SeriesColor } from '../base/palette';
import { isDrawnAsRate } from './metrics';

export type Values = readonly (number | null)[];

export interface LineSpec {
  /** Key of its values in the answer. */
  metric: string;
  /** Metric that gives the unit, where `metric` is the name of a group. */
  unitOf?: string;
  label: string;
  /** Bars stack with the other bars of their side; `low` and `high` bound a shaded band. */
  kind: 'bar' | 'line' | 'low' | 'high';
  side: 'up' | 'down';
  color: SeriesColor;
}

export interface ChartSpec {
  id: string;
  title: string;
  /** Metric that gives the unit and the spelling of values. */
  unitOf: string;
  lines: readonly LineSpec[];
  /** One line for each of the heaviest values of a field instead, by this metric. */
  groups?: { field: string; metric: string; limit: number };
}

export function chartMetrics(charts: readonly ChartSpec[]): string[] {
  return [...new Set(charts.flatMap((chart) => chart.lines.map((spec) => spec.metric)))];
}

/** The shape of a series with one line per group, as far as drawing it is concerned. */
export interface GroupedSeries {
  series: readonly {
    group?: Readonly<Record<string, string | null>> | null;
    is_rest: boolean;
    metrics: Readonly<Record<string, Values>>;
  }[];
}

export interface NamedLine {
  label: string;
  values: Values;
  total: number;
}

/** Lines of a grouped series, heaviest first, the rest last; those with nothing in them go. */
export function namedLines(answer: GroupedSeries, field: string, metric: string): NamedLine[] {
  const lines = answer.series.map((line) => {
    const values = line.metrics[metric] ?? [];
    const total = values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
    const label = line.is_rest ? 'others' : (line.group?.[field] ?? 'none');
    return { label, values, total, isRest: line.is_rest };
  });
  return lines
    .filter(({ total }) => total > 0)
    .sort((a, b) => Number(a.isRest) - Number(b.isRest) || b.total - a.total)
    .map(({ label, values, total }) => ({ label, values, total }));
}

/** Totals of a step as a rate where the metric is read that way. */
export function drawnValues(metric: string, values: Values, stepS: number): (number | null)[] {
  if (!isDrawnAsRate(metric) || stepS <= 0) return [...values];
  return values.map((value) => (value === null ? null : value / stepS));
}

/** One line as it is drawn: bars already stand on the ones below them, down is negative. */
export interface DrawnLine extends LineSpec {
  /** What the values mean, before stacking. */
  own: Values;
  drawn: Values;
}

/** Adds each bar to the bars before it on its side; a gap stays a gap. */
export function stackLines(lines: readonly (LineSpec & { own: Values })[]): DrawnLine[] {
  const tops: Record<'up' | 'down', number[]> = { up: [], down: [] };
  return lines.map((spec) => {
    const sign = spec.side === 'down' ? -1 : 1;
    if (spec.kind !== 'bar') {
      return { ...spec, drawn: spec.own.map((value) => (value === null ? null : sign * value)) };
    }
    const top = tops[spec.side];
    const drawn = spec.own.map((value, index) => {
      if (value === null) return null;
      top[index] = (top[index] ?? 0) + value;
      return sign * top[index];
    });
    return { ...spec, drawn };
  });
}

/** The values of another period under the same steps: cut or padded to the same length. */
export function alignTo(length: number, values: Values): (number | null)[] {
  return Array.from({ length }, (_, index) => values[index] ?? null);
}

/** What there is to draw: something, only zeros, or nothing at all. */
export function contentOf(lines: readonly { own: Values }[]): 'values' | 'zeros' | 'nothing' {
  const known = lines.flatMap((line) => line.own.filter((value) => value !== null));
  if (known.length === 0) return 'nothing';
  return known.some((value) => value !== 0) ? 'values' : 'zeros';
}
