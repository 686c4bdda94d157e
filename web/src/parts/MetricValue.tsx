// A metric in a cell: short, exact when pointed at, with a bar for its share of the largest and
// the change since the period before.
import type { CSSProperties } from 'react';
import { formatMetric, formatMetricExact, metric } from '../domain/metrics';
import { formatChange } from '../domain/units';
import classes from './MetricValue.module.css';

export interface MetricValueProps {
  name: string;
  value: number | null | undefined;
  /** Length of the bar, 0 to 1; absent for none. */
  share?: number | undefined;
  /** Value of the period before; absent when nothing is compared. */
  before?: number | null | undefined;
}

export function MetricValue({ name, value, share, before }: MetricValueProps) {
  const text = formatMetric(name, value);
  const change = before === undefined ? null : formatChange(value ?? null, before);
  const exact = `${metric(name).label}: ${formatMetricExact(name, value)}`;
  const title =
    before === undefined ? exact : `${exact}\nbefore: ${formatMetricExact(name, before)}`;
  const faint = value === null || value === undefined || value === 0;
  const style = share === undefined ? undefined : ({ '--share': share } as CSSProperties);
  return (
    <span
      className={classes.value}
      data-faint={faint || undefined}
      data-bar={share === undefined ? undefined : true}
      data-metric={name}
      style={style}
      title={title}
    >
      {change && <span className={classes.change}>{change}</span>}
      <span>{text}</span>
    </span>
  );
}
