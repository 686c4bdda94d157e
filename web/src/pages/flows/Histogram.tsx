// What flowed at each time, or how many requests began, stacked by what is chosen. Drag chooses a
// time.
import { SegmentedControl, Skeleton, useComputedColorScheme } from '@mantine/core';
import { useMemo, useState } from 'react';
import { seriesColor } from '../../base/palette';
import type { DrawnLine } from '../../domain/chart';
import { formatDrawn, formatMetric, isDrawnAsRate } from '../../domain/metrics';
import { absoluteRange, formatMoment } from '../../domain/time';
import { Failure } from '../../parts/States';
import { TimeChart } from '../../parts/TimeChart';
import { useHistogram } from '../../state/queries';
import { useView } from '../../state/view';
import {
  chosen,
  timelineLines,
  timelineQuestion,
  timelines,
  unitOf,
  type Shown,
  type Stack,
  type Timeline,
} from './timeline';
import classes from './flows.module.css';

const zoomMinMs = 2_000;

export function Histogram({ every }: { every: number }) {
  const { view, scope, setView } = useView();
  const [cursor, setCursor] = useState<number | null>(null);
  const timeline = timelines[view.layer];
  const stack = chosen(timeline.stacks, view.stack);
  const shown = chosen(timeline.shown, view.shown);
  const unit = unitOf(shown);
  const options = useMemo(() => timelineQuestion(stack, shown), [stack, shown]);
  const histogram = useHistogram(scope, options, { every });
  const { data } = histogram;
  const lines = useMemo(() => timelineLines(data, stack, shown), [data, stack, shown]);

  if (histogram.error && !data) {
    const retry = () => void histogram.refetch();
    return <Failure compact error={histogram.error} what="The timeline" onRetry={retry} />;
  }
  const valueOf = (line: DrawnLine) => {
    if (cursor !== null) return formatDrawn(unit, line.own[cursor]);
    const sum = line.own.reduce<number>((total, value) => total + (value ?? 0), 0);
    return formatMetric(unit, isDrawnAsRate(unit) ? sum * (data?.step_s ?? 0) : sum);
  };
  return (
    <section aria-label={`${view.layer === 'l7' ? 'Requests' : 'Flows'} over time`}>
      <HistogramHead
        timeline={timeline}
        shown={shown}
        stack={stack}
        lines={lines}
        valueOf={valueOf}
        timeMs={cursor === null ? undefined : data?.times_ms[cursor]}
      />
      {data ? (
        <div data-dimmed={histogram.isPlaceholderData || undefined} className={classes.plot}>
          <TimeChart
            label="Rows over time"
            timesMs={data.times_ms}
            lines={lines}
            window={data.window}
            format={(value) => formatDrawn(unit, value)}
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
  timeline: Timeline;
  shown: Shown;
  stack: Stack;
  lines: readonly DrawnLine[];
  valueOf: (line: DrawnLine) => string;
  /** The time under the cursor. */
  timeMs: number | undefined;
}

function HistogramHead({ timeline, shown, stack, lines, valueOf, timeMs }: HistogramHeadProps) {
  const { setView } = useView();
  /** What is chosen at first stands in no address. */
  const unlessFirst = (value: string, [first]: Timeline['stacks'] | Timeline['shown']) =>
    value === first.value ? undefined : value;
  const choices = (from: Timeline['stacks'] | Timeline['shown']) =>
    from.map(({ value, label }) => ({ value, label }));
  return (
    <div className={classes.histogramHead}>
      {timeline.shown.length > 1 ? (
        <SegmentedControl
          aria-label="What the timeline shows"
          value={shown.value}
          onChange={(value) =>
            setView({ shown: unlessFirst(value, timeline.shown) }, { replace: true })
          }
          data={choices(timeline.shown)}
        />
      ) : (
        <h2 className={classes.title}>{shown.label}</h2>
      )}
      <Legend lines={lines} valueOf={valueOf} />
      {timeMs !== undefined && <time className={classes.time}>{formatMoment(timeMs)}</time>}
      <SegmentedControl
        ml="auto"
        aria-label="Stack the timeline by"
        value={stack.value}
        onChange={(value) =>
          setView({ stack: unlessFirst(value, timeline.stacks) }, { replace: true })
        }
        data={choices(timeline.stacks)}
      />
    </div>
  );
}

function Legend({ lines, valueOf }: Pick<HistogramHeadProps, 'lines' | 'valueOf'>) {
  const scheme = useComputedColorScheme('light');
  return (
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
  );
}
