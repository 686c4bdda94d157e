// One chart over time (uPlot): bars or lines, a shared cursor, drag to choose a time.
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'react';
import uPlot from 'uplot';
import { seriesColor, withAlpha, type Scheme } from '../base/palette';
import type { DrawnLine, Values } from '../domain/chart';
import { formatClock, formatMoment } from '../domain/time';
import classes from './TimeChart.module.css';

export interface TimeChartProps {
  label: string;
  timesMs: readonly number[];
  lines: readonly DrawnLine[];
  /** The period before, drawn as a thin dashed line for each line. */
  ghosts?: readonly Values[] | undefined;
  window: { from_ms: number; to_ms: number };
  format: (value: number) => string;
  height: number;
  /** Charts with the same key share the cursor. */
  syncKey: string;
  onCursor?: ((index: number | null) => void) | undefined;
  onZoom: (fromMs: number, toMs: number) => void;
}

const day = 86_400_000;

function cssColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function lineSeries(line: DrawnLine, scheme: Scheme): uPlot.Series {
  const color = seriesColor(scheme, line.color);
  const shared = { label: line.label, spanGaps: false };
  if (line.kind === 'low' || line.kind === 'high') {
    return { ...shared, stroke: withAlpha(color, 0), points: { show: false } };
  }
  if (line.kind === 'line') {
    return {
      ...shared,
      stroke: color,
      width: 1.6,
      points: { show: true, size: 3, filter: loneSteps },
    };
  }
  const paths = uPlot.paths.bars?.({ size: [0.82, 28], align: 1, radius: 0 });
  return {
    ...shared,
    stroke: color,
    fill: color,
    width: 0,
    points: { show: false },
    ...(paths && { paths }),
  };
}

/** A step with a value between two without would be invisible as a line: it gets a point. */
function loneSteps(plot: uPlot, seriesIndex: number, show: boolean): number[] | null {
  if (!show) return null;
  const values = plot.data[seriesIndex] ?? [];
  const lone: number[] = [];
  for (let i = 0; i < values.length; i += 1) {
    const isGap = (at: number) => values[at] === null || values[at] === undefined;
    if (!isGap(i) && isGap(i - 1) && isGap(i + 1)) lone.push(i);
  }
  return lone;
}

function ghostSeries(line: DrawnLine, scheme: Scheme): uPlot.Series {
  if (line.kind === 'low' || line.kind === 'high') return { label: line.label, show: false };
  const color = withAlpha(seriesColor(scheme, line.color), 0.75);
  return {
    label: `${line.label}, before`,
    stroke: color,
    width: 1.2,
    dash: [4, 3],
    points: { show: false },
  };
}

/** The day where it changes, the time elsewhere; seconds only in a short range. */
function axisText(ms: number, spanMs: number): string {
  const date = formatMoment(ms).slice(0, -9);
  if (spanMs > 5 * day || (spanMs > day / 2 && formatClock(ms) === '00:00:00')) return date;
  return spanMs > 600_000 ? formatClock(ms).slice(0, 5) : formatClock(ms);
}

/** Bars are drawn from the top of the stack down, so that lower ones stay visible. */
function drawOrder(lines: readonly DrawnLine[]): DrawnLine[] {
  return [...lines].reverse();
}

function chartOptions(
  latest: { current: TimeChartProps },
  scheme: Scheme,
  hooks: uPlot.Hooks.Arrays,
): uPlot.Options {
  const { lines, ghosts, height, syncKey } = latest.current;
  const windowS = (): uPlot.Range.MinMax => {
    const { from_ms, to_ms } = latest.current.window;
    return [from_ms / 1000, to_ms / 1000];
  };
  const ordered = drawOrder(lines);
  const low = ordered.findIndex((line) => line.kind === 'low') + 1;
  const high = ordered.findIndex((line) => line.kind === 'high') + 1;
  const band = ordered[low - 1];
  const axis = {
    stroke: cssColor('--w-faint'),
    font: "10.5px 'Inter Variable', system-ui, sans-serif",
    ticks: { show: false },
  };
  const grid = { stroke: cssColor('--w-chart-grid'), width: 1 };
  return {
    width: 300,
    height,
    padding: [8, 16, 0, 0],
    legend: { show: false },
    hooks,
    scales: {
      x: { time: true, range: windowS },
      y: { range: (_, min, max) => valueRange(min, max) },
    },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false, dist: 6 },
      sync: { key: syncKey, setSeries: false, scales: ['x', null] },
    },
    bands: band
      ? [{ series: [high, low], fill: withAlpha(seriesColor(scheme, band.color), 0.16) }]
      : [],
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 20,
        gap: 4,
        space: 64,
        values: (plot, splits) => {
          const span = ((plot.scales.x?.max ?? 0) - (plot.scales.x?.min ?? 0)) * 1000;
          return splits.map((split) => axisText(split * 1000, span));
        },
      },
      {
        ...axis,
        grid,
        size: 56,
        gap: 6,
        space: 17,
        values: (_, splits) => splits.map((split) => latest.current.format(Math.abs(split))),
      },
    ],
    series: [
      {},
      ...ordered.map((line) => lineSeries(line, scheme)),
      ...(ghosts ? ordered.map((line) => ghostSeries(line, scheme)) : []),
    ],
  };
}

/** From 0 (or the lowest mirrored value) to a little above the largest. */
function valueRange(min: number | null, max: number | null): uPlot.Range.MinMax {
  const top = Math.max(max ?? 0, 0);
  const bottom = Math.min(min ?? 0, 0);
  if (top === 0 && bottom === 0) return [0, 1];
  const pad = (top - bottom) * 0.06;
  return [bottom === 0 ? 0 : bottom - pad, top === 0 ? 0 : top + pad];
}

export function TimeChart(props: TimeChartProps) {
  const { timesMs, lines, ghosts, window: range, height } = props;
  const scheme = useComputedColorScheme('light');
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  useLayoutEffect(() => {
    latest.current = props;
  });

  const data = useMemo<uPlot.AlignedData>(() => {
    const xs = timesMs.map((ms) => ms / 1000);
    const rows = drawOrder(lines).map((line) => line.drawn as (number | null)[]);
    const before = ghosts ? [...ghosts].reverse().map((values) => values as (number | null)[]) : [];
    return [xs, ...rows, ...before];
  }, [timesMs, lines, ghosts]);

  const shape =
    lines.map((line) => `${line.metric}${line.kind}${line.color}`).join() + (ghosts ? '+' : '');
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const created = createPlot(element, latest, scheme);
    plot.current = created;
    const resized = new ResizeObserver(() => {
      created.setSize({ width: Math.max(80, element.clientWidth), height });
    });
    resized.observe(element);
    return () => {
      resized.disconnect();
      created.destroy();
      plot.current = null;
    };
  }, [shape, scheme, height]);

  useEffect(() => {
    plot.current?.setData(data, true);
  }, [data, shape, scheme, range.from_ms, range.to_ms]);

  return (
    <div
      ref={host}
      className={classes.chart}
      style={{ height }}
      role="img"
      aria-label={props.label}
    />
  );
}

function createPlot(
  element: HTMLElement,
  latest: { current: TimeChartProps },
  scheme: Scheme,
): uPlot {
  const hooks: uPlot.Hooks.Arrays = {
    setCursor: [(self) => latest.current.onCursor?.(self.cursor.idx ?? null)],
    setSelect: [
      (self) => {
        if (self.select.width <= 0) return;
        const from = self.posToVal(self.select.left, 'x') * 1000;
        const to = self.posToVal(self.select.left + self.select.width, 'x') * 1000;
        self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        latest.current.onZoom(from, to);
      },
    ],
  };
  const created = new uPlot(chartOptions(latest, scheme, hooks), undefined, element);
  const width = Math.max(80, element.clientWidth);
  created.setSize({ width, height: latest.current.height });
  return created;
}
