// The headline numbers of a pair or an entity.
import { Skeleton } from '@mantine/core';
import type { Metrics } from '../../api/types';
import type { Layer } from '../../domain/layer';
import { connectFailures, formatMetric, formatMetricExact, metric } from '../../domain/metrics';
import { absent, formatCount, formatMicros } from '../../domain/units';
import { tileMetrics } from './question';
import classes from './details.module.css';

/** What stands small under a number: what errors were, between which values a mean lies. */
function note(name: string, totals: Metrics): string | null {
  if (name === 'errors') return errorsNote(totals);
  const min = totals[`${name}_min`];
  const max = totals[`${name}_max`];
  return typeof min === 'number' && typeof max === 'number'
    ? `${formatMicros(min)} – ${formatMicros(max)}`
    : null;
}

function errorsNote(totals: Metrics): string | null {
  const kinds = [
    ['status_4xx', '4xx'],
    ['status_5xx', '5xx'],
    ['unanswered', 'no answer'],
  ] as const;
  const told = kinds.flatMap(([name, label]) => {
    const count = totals[name] ?? 0;
    return count > 0 ? `${formatCount(count)} ${label}` : [];
  });
  return told.length === 0 ? null : told.join(' · ');
}

function failedConnects(totals: Metrics): number | null {
  const known = connectFailures
    .map((name) => totals[name])
    .filter((value) => typeof value === 'number');
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

export function Tiles({ layer, totals }: { layer: Layer; totals: Metrics | undefined }) {
  if (!totals) return <Skeleton height={108} radius="md" />;
  const failed = failedConnects(totals);
  return (
    <dl className={classes.tiles}>
      {tileMetrics[layer].map((name) => (
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
      {layer === 'l4' && (
        <div className={classes.tile} title="connection attempts that failed, for any reason">
          <dt>Failed connects</dt>
          <dd>{failed === null ? absent : formatCount(failed)}</dd>
        </div>
      )}
    </dl>
  );
}
