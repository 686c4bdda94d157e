// The metrics of a node or a path, as pointing at it shows them.
import { connectFailures, fillMetrics, metric } from '../../domain/metrics';
import type { Metrics } from '../../graph/model';
import { MetricValue } from '../../parts/MetricValue';
import classes from './Map.module.css';

export function MetricRows({ metrics, fill }: { metrics: Metrics; fill: string }) {
  const failed = connectFailures.filter((name) => (metrics[name] ?? 0) > 0);
  const base = [
    'bytes_sent',
    'bytes_received',
    ...fillMetrics.filter((n) => !n.startsWith('bytes_')),
  ];
  const names = [...new Set([...base, ...failed, fill])];
  return (
    <dl className={classes.metrics}>
      {names.map((name) => (
        <div key={name} data-fill={name === fill || undefined}>
          <dt>{metric(name).label}</dt>
          <dd>
            <MetricValue name={name} value={metrics[name]} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
