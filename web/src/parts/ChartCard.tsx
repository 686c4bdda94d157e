// A chart with its title and legend. The legend shows the value over the whole time, and the value
// under the cursor while there is one.
import { useMemo, useState } from 'react';
import { Skeleton, useComputedColorScheme } from '@mantine/core';
import type { Metrics, SeriesAnswer } from '../api/types';
import { seriesColor } from '../base/palette';
import {
  alignTo,
  contentOf,
  drawnValues,
  stackLines,
  type ChartSpec,
  type DrawnLine,
  type LineSpec,
} from '../domain/chart';
import { formatDrawn, formatMetric, formatMetricExact, isDrawnAsRate } from '../domain/metrics';
import { formatClock, formatMoment } from '../domain/time';
import { TimeChart } from './TimeChart';
import classes from './ChartCard.module.css';

export interface ChartCardProps {
  spec: ChartSpec;
  answer: SeriesAnswer;
  /** The same metrics over the whole time, as the server counted them. */
  totals: Metrics | undefined;
  /** The answer for the period before. */
  before?: SeriesAnswer | undefined;
  height?: number;
  syncKey: string;
  onZoom: (fromMs: number, toMs: number) => void;
}

function unitOf({ unitOf: given, metric }: LineSpec): string {
  return given ?? metric;
}

function valuesOf(answer: SeriesAnswer, line: LineSpec): (number | null)[] {
  const values = answer.series[0]?.metrics[line.metric] ?? answer.times_ms.map(() => null);
  return drawnValues(unitOf(line), values, answer.step_s);
}

export function ChartCard(props: ChartCardProps) {
  const { spec, answer, before, totals, height = 88 } = props;
  const [cursor, setCursor] = useState<number | null>(null);
  const lines = useMemo(
    () => stackLines(spec.lines.map((line) => ({ ...line, own: valuesOf(answer, line) }))),
    [spec, answer],
  );
  const ghosts = useMemo(() => {
    if (!before) return undefined;
    const own = spec.lines.map((line) => ({
      ...line,
      own: alignTo(answer.times_ms.length, valuesOf(before, line)),
    }));
    return stackLines(own).map((line) => line.drawn);
  }, [spec, before, answer.times_ms.length]);
  const content = contentOf(ghosts ? [...lines, ...ghosts.map((own) => ({ own }))] : lines);
  const time = cursor === null ? undefined : answer.times_ms[cursor];
  return (
    <section className={classes.card} aria-label={spec.title}>
      <div className={classes.head}>
        <h3 className={classes.title}>{spec.title}</h3>
        {time !== undefined && (
          <time className={classes.time}>
            {answer.window.to_ms - answer.window.from_ms > 86_400_000
              ? formatMoment(time)
              : formatClock(time)}
          </time>
        )}
      </div>
      <Legend lines={lines} totals={totals} cursor={time === undefined ? null : cursor} />
      {content !== 'values' ? (
        <div className={classes.nothing} style={{ height }}>
          {content === 'zeros' ? 'None in this time' : 'Nothing observed in this time'}
        </div>
      ) : (
        <TimeChart
          label={`${spec.title} over time`}
          timesMs={answer.times_ms}
          lines={lines}
          ghosts={ghosts}
          window={answer.window}
          format={(value) => formatDrawn(spec.unitOf, value)}
          height={height}
          syncKey={props.syncKey}
          onCursor={setCursor}
          onZoom={props.onZoom}
        />
      )}
    </section>
  );
}

/** In place of a chart whose values are on their way. */
export function ChartSkeleton() {
  return (
    <div className={classes.skeleton} aria-busy="true">
      <Skeleton height={10} width={70} />
      <Skeleton height={78} mt={22} />
    </div>
  );
}

/** Where there are more lines, those with nothing in them are not told. */
const legendLinesMax = 3;

interface LegendProps {
  lines: readonly DrawnLine[];
  totals: Metrics | undefined;
  cursor: number | null;
}

function Legend({ lines, totals, cursor }: LegendProps) {
  const scheme = useComputedColorScheme('light');
  const told = lines.filter((line) => lines.length <= legendLinesMax || totals?.[line.metric]);
  return (
    <dl className={classes.legend} data-many={told.length >= legendLinesMax || undefined}>
      {(told.length > 0 ? told : lines.slice(0, legendLinesMax)).map((line) => {
        const total = totals?.[line.metric];
        const text =
          cursor === null
            ? formatMetric(unitOf(line), total)
            : formatDrawn(unitOf(line), line.own[cursor]);
        const shape = line.kind === 'bar' ? 'bar' : 'line';
        return (
          <div
            key={line.metric}
            className={classes.entry}
            title={`${line.metric}: ${formatMetricExact(unitOf(line), total)}${isDrawnAsRate(unitOf(line)) ? ', drawn per second' : ''}`}
          >
            <dt>
              {(line.kind === 'bar' || line.kind === 'line') && (
                <span
                  className={classes.swatch}
                  data-shape={shape}
                  style={{ background: seriesColor(scheme, line.color) }}
                />
              )}
              {line.label}
            </dt>
            <dd>{text}</dd>
          </div>
        );
      })}
    </dl>
  );
}
