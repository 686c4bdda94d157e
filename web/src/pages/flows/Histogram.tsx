// How many flow rows there were at each time, stacked by what is chosen. Drag chooses a time.
import { SegmentedControl, Skeleton, useComputedColorScheme } from '@mantine/core';
import { useMemo, useState } from 'react';
import { seriesColor } from '../../base/palette';
import type { SeriesAnswer, SeriesLine } from '../../api/types';
import { stackLines, type DrawnLine, type Values } from '../../domain/chart';
import { absoluteRange, formatMoment } from '../../domain/time';
import { formatCount } from '../../domain/units';
import { Failure } from '../../parts/States';
import { TimeChart } from '../../parts/TimeChart';
import { useHistogram } from '../../state/queries';
import { useView } from '../../state/view';
import classes from './flows.module.css';

const stacks = [
  { value: 'direction', label: 'Direction' },
  { value: 'transport', label: 'Protocol' },
] as const;

const zoomMinMs = 2_000;

function nameOf(line: SeriesLine, stack: string): string {
  if (line.is_rest) return 'others';
  return line.group?.[stack] ?? 'unknown';
}

function valuesOf(line: SeriesLine): Values {
  return Object.values(line.metrics)[0] ?? [];
}

function linesOf(answer: SeriesAnswer | undefined, stack: string): DrawnLine[] {
  const lines = [...(answer?.series ?? [])].sort((a, b) => nameOf(a, stack).localeCompare(nameOf(b, stack)));
  return stackLines(
    lines.map((line, index) => ({
      metric: nameOf(line, stack),
      label: nameOf(line, stack),
      kind: 'bar',
      side: 'up',
      color: index === 0 ? 0 : index === 1 ? 1 : index + 1,
      own: valuesOf(line).map((value) => value ?? 0),
    })),
  );
}

export function Histogram({ every }: { every: number }) {
  const { view, scope, setView } = useView();
  const scheme = useComputedColorScheme('light');
  const [cursor, setCursor] = useState<number | null>(null);
  const stack = stacks.find(({ value }) => value === view.stack)?.value ?? 'direction';
  const histogram = useHistogram(scope, stack, { every });
  const { data } = histogram;
  const lines = useMemo(() => linesOf(data, stack), [data, stack]);

  if (histogram.error && !data) {
    return <Failure compact error={histogram.error} what="The timeline" onRetry={() => void histogram.refetch()} />;
  }
  const time = cursor === null ? undefined : data?.times_ms[cursor];
  const shown = (line: DrawnLine) =>
    time !== undefined && cursor !== null
      ? (line.own[cursor] ?? 0)
      : line.own.reduce<number>((sum, value) => sum + (value ?? 0), 0);
  return (
    <section aria-label="Flows over time">
      <div className={classes.histogramHead}>
        <h3 className={classes.title}>Flow rows</h3>
        <dl className={classes.legend}>
          {lines.map((line) => (
            <div key={line.label}>
              <dt>
                <span className={classes.swatch} style={{ background: seriesColor(scheme, line.color) }} />
                {line.label}
              </dt>
              <dd>{formatCount(shown(line))}</dd>
            </div>
          ))}
        </dl>
        {time !== undefined && <time className={classes.time}>{formatMoment(time)}</time>}
        <SegmentedControl
          ml="auto"
          aria-label="Stack the timeline by"
          value={stack}
          onChange={(value) => setView({ stack: value === 'direction' ? undefined : value }, { replace: true })}
          data={stacks.map((item) => ({ ...item }))}
        />
      </div>
      {data ? (
        <div data-dimmed={histogram.isPlaceholderData || undefined} className={classes.plot}>
          <TimeChart
            label="Flow rows over time"
            timesMs={data.times_ms}
            lines={lines}
            window={data.window}
            format={formatCount}
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
