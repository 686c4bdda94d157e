// What the timeline above the rows can show at each layer, and the lines that it draws. Pure.
import type { SeriesAnswer, SeriesLine } from '../../api/types';
import type { SeriesColor, StatusTone } from '../../base/palette';
import {
  drawnValues,
  stackLines,
  type DrawnLine,
  type LineSpec,
  type Values,
} from '../../domain/chart';
import type { Layer } from '../../domain/layer';
import { codeTone } from '../../domain/status';

export interface Choice {
  value: string;
  label: string;
}

export interface Shown extends Choice {
  /** Drawn together: both directions of a conversation. */
  metrics: readonly string[];
}

export interface Stack extends Choice {
  /** What the rows are grouped by, where that is finer than what is drawn. */
  field?: string;
}

export interface Timeline {
  stacks: readonly [Stack, ...Stack[]];
  shown: readonly [Shown, ...Shown[]];
}

const flows: Timeline = {
  stacks: [
    { value: 'direction', label: 'Direction' },
    { value: 'transport', label: 'Protocol' },
  ],
  shown: [
    { value: 'traffic', label: 'Traffic', metrics: ['bytes_sent', 'bytes_received'] },
    { value: 'connections', label: 'Connections', metrics: ['connections'] },
  ],
};

const requests: Timeline = {
  stacks: [
    { value: 'class', label: 'Status class', field: 'status' },
    { value: 'protocol', label: 'Protocol' },
    { value: 'method', label: 'Method' },
  ],
  shown: [{ value: 'requests', label: 'Requests', metrics: ['requests'] }],
};

/** DNS lookups have no rows of their own, and so no timeline of rows. */
export const timelines: Record<Layer, Timeline> = { l4: flows, l7: requests, dns: requests };

export function chosen<T extends Choice>(choices: readonly [T, ...T[]], given?: string): T {
  return choices.find(({ value }) => value === given) ?? choices[0];
}

/** What the API is asked for. */
export function timelineQuestion(stack: Stack, shown: Shown) {
  return { metrics: shown.metrics, groupBy: stack.field ?? stack.value };
}

/** Metric that gives the unit. */
export function unitOf(shown: Shown): string {
  return shown.metrics[0] ?? '';
}

function nameOf(line: SeriesLine, stack: string): string {
  if (line.is_rest) return 'others';
  return line.group?.[stack] ?? 'unknown';
}

function valuesOf(line: SeriesLine, { metrics }: Shown, stepS: number): Values {
  const [first = [], second = []] = metrics.map((name) =>
    drawnValues(name, line.metrics[name] ?? [], stepS),
  );
  return first.map((value, index) => (value ?? 0) + (second[index] ?? 0));
}

const classLabels: readonly { tone: StatusTone; label: string }[] = [
  { tone: 'ok', label: '2xx' },
  { tone: 'redirect', label: '1xx, 3xx' },
  { tone: 'client-error', label: '4xx' },
  { tone: 'server-error', label: '5xx' },
  { tone: 'none', label: 'no answer' },
];

/** The class of one line of status codes; what the answer folded together has none. */
function toneOf(line: SeriesLine): StatusTone | null {
  if (line.is_rest) return null;
  const code = line.group?.['status'];
  return codeTone(code === null || code === undefined ? null : Number(code));
}

function summed(lines: readonly SeriesLine[], shown: Shown, { step_s, times_ms }: SeriesAnswer) {
  const values = lines.map((line) => valuesOf(line, shown, step_s));
  return times_ms.map((_, at) => values.reduce((sum, own) => sum + (own[at] ?? 0), 0));
}

/** The lines of single codes as classes, bottom to top; a class that there is none of goes. */
function statusStack(answer: SeriesAnswer, shown: Shown): DrawnLine[] {
  const stack = (label: string, color: SeriesColor, lines: readonly SeriesLine[]) =>
    lines.length === 0
      ? []
      : [{ ...bar(label, unitOf(shown), color), own: summed(lines, shown, answer) }];
  const classes = classLabels.flatMap(({ tone, label }) =>
    stack(
      label,
      tone,
      answer.series.filter((line) => toneOf(line) === tone),
    ),
  );
  const rest = answer.series.filter((line) => line.is_rest);
  return stackLines([...classes, ...stack('others', 5, rest)]);
}

function bar(label: string, metric: string, color: SeriesColor): LineSpec {
  return { metric, label, kind: 'bar', side: 'up', color };
}

export function timelineLines(
  answer: SeriesAnswer | undefined,
  stack: Stack,
  shown: Shown,
): DrawnLine[] {
  if (!answer) return [];
  if (stack.field === 'status') return statusStack(answer, shown);
  const name = (line: SeriesLine) => nameOf(line, stack.value);
  const lines = [...answer.series].sort((a, b) => name(a).localeCompare(name(b)));
  return stackLines(
    lines.map((line, index) => ({
      ...bar(name(line), unitOf(shown), index),
      own: valuesOf(line, shown, answer.step_s),
    })),
  );
}
