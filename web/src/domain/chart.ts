// From series of metrics to what a chart draws: rates, stacks, mirrored sides. Pure.
import { connectFailures, isDrawnAsRate } from './metrics';

export type Values = readonly (number | null)[];

export interface LineSpec {
  metric: string;
  label: string;
  /** Bars stack with the other bars of their side; `low` and `high` bound a shaded band. */
  kind: 'bar' | 'line' | 'low' | 'high';
  side: 'up' | 'down';
  /** Place in the series palette. */
  color: number;
}

export interface ChartSpec {
  id: string;
  title: string;
  /** Metric that gives the unit and the spelling of values. */
  unitOf: string;
  lines: readonly LineSpec[];
}

function bar(metric: string, label: string, color: number, side: 'up' | 'down' = 'up'): LineSpec {
  return { metric, label, kind: 'bar', side, color };
}

function line(
  metric: string,
  label: string,
  color: number,
  kind: LineSpec['kind'] = 'line',
): LineSpec {
  return { metric, label, kind, side: 'up', color };
}

const failureLabels = ['refused', 'timed out', 'reset', 'other'];

/** The analysis charts of the L4 layer, in reading order. */
export const l4Charts: readonly ChartSpec[] = [
  {
    id: 'traffic',
    title: 'Traffic',
    unitOf: 'bytes_sent',
    lines: [bar('bytes_sent', 'sent', 0), bar('bytes_received', 'received', 1, 'down')],
  },
  {
    id: 'delay',
    title: 'TCP delay',
    unitOf: 'rtt_us',
    lines: [
      line('rtt_us', 'mean', 2),
      line('rtt_us_min', 'min', 2, 'low'),
      line('rtt_us_max', 'max', 2, 'high'),
    ],
  },
  { id: 'jitter', title: 'TCP jitter', unitOf: 'jitter_us', lines: [line('jitter_us', 'mean', 4)] },
  {
    id: 'connections',
    title: 'Connections',
    unitOf: 'connections',
    lines: [bar('connections', 'opened', 0), bar('closures', 'closed', 5, 'down')],
  },
  {
    id: 'retransmits',
    title: 'Retransmissions',
    unitOf: 'retransmits',
    lines: [bar('retransmits', 'segments', 3)],
  },
  {
    id: 'failures',
    title: 'Failed connects',
    unitOf: 'connect_refused',
    lines: connectFailures.map((metric, index) =>
      bar(metric, failureLabels[index] ?? metric, [3, 1, 4, 5][index] ?? 5),
    ),
  },
];

export function chartMetrics(charts: readonly ChartSpec[]): string[] {
  return [...new Set(charts.flatMap((chart) => chart.lines.map((spec) => spec.metric)))];
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
