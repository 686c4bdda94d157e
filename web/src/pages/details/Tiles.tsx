// The headline numbers of a pair or an entity.
import { Skeleton } from '@mantine/core';
import type { Metrics } from '../../api/types';
import { connectFailures, formatMetric, formatMetricExact, metric } from '../../domain/metrics';
import { absent, formatCount, formatMicros } from '../../domain/units';
import { tileMetrics } from './question';
import classes from './details.module.css';

/** What stands small under a number. */
function note(name: string, totals: Metrics): string | null {
  if (name !== 'rtt_us') return null;
  const { rtt_us_min: min, rtt_us_max: max } = totals;
  return typeof min === 'number' && typeof max === 'number'
    ? `${formatMicros(min)} – ${formatMicros(max)}`
    : null;
}

function failedConnects(totals: Metrics): number | null {
  const known = connectFailures
    .map((name) => totals[name])
    .filter((value) => typeof value === 'number');
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

export function Tiles({ totals }: { totals: Metrics | undefined }) {
  if (!totals) return <Skeleton height={108} radius="md" />;
  const failed = failedConnects(totals);
  return (
    <dl className={classes.tiles}>
      {tileMetrics.map((name) => (
        <div
          key={name}
          className={classes.tile}
          title={`${metric(name).doc}: ${formatMetricExact(name, totals[name])}`}
        >
          <dt>{metric(name).label}</dt>
          <dd data-metric={name}>{formatMetric(name, totals[name])}</dd>
          <small>{note(name, totals)}</small>
        </div>
      ))}
      <div className={classes.tile} title="connection attempts that failed, for any reason">
        <dt>Failed connects</dt>
        <dd>{failed === null ? absent : formatCount(failed)}</dd>
      </div>
    </dl>
  );
}
