// A trend in a cell: totals as bars, means as a line.
import type { Trend } from '../state/trends';
import { formatDrawn, metric as metricOf, metricShape } from '../domain/metrics';
import classes from './Sparkline.module.css';

const width = 96;
const height = 18;

function linePath(values: readonly (number | null)[], max: number): string {
  let path = '';
  let pen = false;
  values.forEach((value, index) => {
    if (value === null) {
      pen = false;
      return;
    }
    const x = ((index + 0.5) / values.length) * width;
    const y = height - 1 - (value / max) * (height - 2);
    path += `${pen ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = true;
  });
  return path;
}

function barPath(values: readonly (number | null)[], max: number): string {
  const step = width / values.length;
  return values
    .map((value, index) => {
      if (!value) return '';
      const top = height - Math.max(1, (value / max) * height);
      const bar = Math.max(0.6, step * 0.8);
      return `M${(index * step).toFixed(1)} ${height}V${top.toFixed(1)}h${bar.toFixed(1)}V${height}z`;
    })
    .join('');
}

export function Sparkline({ metric, trend }: { metric: string; trend: Trend | null }) {
  if (!trend) return null;
  const max = trend.values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  if (max === 0) return <span className={classes.flat} />;
  const isBars = metricShape(metric) === 'total';
  const title = `${metricOf(metric).label}, at most ${formatDrawn(metric, max)}`;
  return (
    <svg width={width} height={height} role="img" aria-label={title} className={classes.spark}>
      <title>{title}</title>
      {isBars ? (
        <path d={barPath(trend.values, max)} className={classes.bars} />
      ) : (
        <path d={linePath(trend.values, max)} className={classes.line} />
      )}
    </svg>
  );
}
