// What flowed at each time, stacked by what is chosen. Drag chooses a time.
import { SegmentedControl, Skeleton, useComputedColorScheme } from '@mantine/core';
import { useMemo, useState } from 'react';
import { seriesColor } from '../../base/palette';
import type { SeriesAnswer, SeriesLine } from '../../api/types';
import { drawnValues, stackLines, type DrawnLine, type Values } from '../../domain/chart';
import { absoluteRange, formatMoment } from '../../domain/time';
import { formatDrawn, formatMetric, isDrawnAsRate } from '../../domain/metrics';
import { Failure } from '../../parts/States';
import { TimeChart } from '../../parts/TimeChart';
import { useHistogram } from '../../state/queries';
import { useView } from '../../state/view';
import classes from './flows.module.css';

const stacks = [
  { value: 'direction', label: 'Direction' },
  { value: 'transport', label: 'Protocol' },
] as const;

const shownMetrics = [
  { value: 'traffic', label: 'Traffic' },
  { value: 'connections', label: 'Connections' },
] as const;

type Shown = (typeof shownMetrics)[number]['value'];

const metricsOf: Record<Shown, readonly string[]> = {
  traffic: ['bytes_sent', 'bytes_received'],
  connections: ['connections'],
};

const unitOf: Record<Shown, string> = { traffic: 'bytes_sent', connections: 'connections' };

const zoomMinMs = 2_000;

function nameOf(line: SeriesLine, stack: string): string {
  if (line.is_rest) return 'others';
  return line.group?.[stack] ?? 'unknown';
}

/** Both directions of a conversation together. */
function valuesOf(line: SeriesLine, shown: Shown, stepS: number): Values {
  const [first = [], second = []] = metricsOf[shown].map((name) =>
    drawnValues(name, line.metrics[name] ?? [], stepS),
  );
  return first.map((value, index) => (value ?? 0) + (second[index] ?? 0));
}

function linesOf(answer: SeriesAnswer | undefined, stack: string, shown: Shown): DrawnLine[] {
  if (!answer) return [];
  const lines = [...answer.series].sort((a, b) => nameOf(a, stack).localeCompare(nameOf(b, stack)));
  return stackLines(
    lines.map((line, index) => ({
      metric: unitOf[shown],
      label: nameOf(line, stack),
      kind: 'bar',
      side: 'up',
      color: index,
      own: valuesOf(line, shown, answer.step_s),
    })),
  );
}

export function Histogram({ every }: { every: number }) {
  const { view, scope, setView } = useView();
  const [cursor, setCursor] = useState<number | null>(null);
  const stack = stacks.find(({ value }) => value === view.stack)?.value ?? 'direction';
  const shown = shownMetrics.find(({ value }) => value === view.shown)?.value ?? 'traffic';
  const options = useMemo(() => ({ metrics: metricsOf[shown], groupBy: stack }), [shown, stack]);
  const histogram = useHistogram(scope, options, { every });
  const { data } = histogram;
  const lines = useMemo(() => linesOf(data, stack, shown), [data, stack, shown]);

  if (histogram.error && !data) {
    return (
      <Failure
        compact
        error={histogram.error}
        what="The timeline"
        onRetry={() => void histogram.refetch()}
      />
    );
  }
  const valueOf = (line: DrawnLine) => {
    if (cursor !== null) return formatDrawn(unitOf[shown], line.own[cursor]);
    const sum = line.own.reduce<number>((total, value) => total + (value ?? 0), 0);
    const whole = isDrawnAsRate(unitOf[shown]) ? sum * (data?.step_s ?? 0) : sum;
    return formatMetric(unitOf[shown], whole);
  };
  return (
    <section aria-label="Flows over time">
      <HistogramHead
        shown={shown}
        stack={stack}
        lines={lines}
        valueOf={valueOf}
        timeMs={cursor === null ? undefined : data?.times_ms[cursor]}
      />
      {data ? (
        <div data-dimmed={histogram.isPlaceholderData || undefined} className={classes.plot}>
          <TimeChart
            label="Flows over time"
            timesMs={data.times_ms}
            lines={lines}
            window={data.window}
            format={(value) => formatDrawn(unitOf[shown], value)}
            height={92}
            syncKey="flows"
            onCursor={setCursor}
            onZoom={(from, to) => to - from >= zoomMinMs && setView(absoluteRange(from, to))}
          />
        </div>
      ) : (
        <Skeleton height={84} mt={8} />
      )}
    </section>
  );
}

interface HistogramHeadProps {
  shown: Shown;
  stack: string;
  lines: readonly DrawnLine[];
  valueOf: (line: DrawnLine) => string;
  /** The time under the cursor. */
  timeMs: number | undefined;
}

function HistogramHead({ shown, stack, lines, valueOf, timeMs }: HistogramHeadProps) {
  const { setView } = useView();
  const scheme = useComputedColorScheme('light');
  return (
    <div className={classes.histogramHead}>
      <SegmentedControl
        aria-label="What the timeline shows"
        value={shown}
        onChange={(value) =>
          setView({ shown: value === 'traffic' ? undefined : value }, { replace: true })
        }
        data={shownMetrics.map((item) => ({ ...item }))}
      />
      <dl className={classes.legend}>
        {lines.map((line) => (
          <div key={line.label}>
            <dt>
              <span
                className={classes.swatch}
                style={{ background: seriesColor(scheme, line.color) }}
              />
              {line.label}
            </dt>
            <dd>{valueOf(line)}</dd>
          </div>
        ))}
      </dl>
      {timeMs !== undefined && <time className={classes.time}>{formatMoment(timeMs)}</time>}
      <SegmentedControl
        ml="auto"
        aria-label="Stack the timeline by"
        value={stack}
        onChange={(value) =>
          setView({ stack: value === 'direction' ? undefined : value }, { replace: true })
        }
        data={stacks.map((item) => ({ ...item }))}
      />
    </div>
  );
}
