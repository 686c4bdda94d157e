// The metrics of a node or a path, as pointing at it shows them.
import { metric } from '../../domain/metrics';
import type { Metrics } from '../../graph/model';
import { MetricValue } from '../../parts/MetricValue';
import { useView } from '../../state/view';
import { cardNames } from './mapView';
import classes from './Map.module.css';

export function MetricRows({ metrics, fill }: { metrics: Metrics; fill: string }) {
  const { layer } = useView().view;
  const names = cardNames(layer, metrics, fill);
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
