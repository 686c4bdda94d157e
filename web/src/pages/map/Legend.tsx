// What sizes, widths and shapes mean, with the figures at both ends of each scale.
import { kindLabels, type EntityKind } from '../../domain/entity';
import { formatMetric } from '../../domain/metrics';
import { providerName } from '../../domain/provider';
import { compareKeys, type MapModel } from '../../graph/model';
import { hasTwoLines, type Scene, type SceneNode } from '../../graph/scene';
import type { LogScale } from '../../graph/scale';
import { EntityIcon } from '../../parts/EntityLabel';
import classes from './FillPanel.module.css';

/** What size and width stand for, by the metric that gives them. */
const words: Record<string, { size: string; width: string; none: string }> = {
  bytes_sent: { size: 'traffic in', width: 'bytes of the pair', none: 'no traffic' },
  requests: { size: 'requests', width: 'requests', none: 'no requests' },
  dns_queries: { size: 'lookups', width: 'lookups', none: 'no lookups' },
};

export function Legend({ scene, model }: { scene: Scene; model: MapModel }) {
  const marks = marksOf(scene);
  const isTwice = hasTwoLines(model);
  const { metric } = model.volume;
  const { size = '', width = '', none = '' } = words[metric] ?? {};
  return (
    <section className={classes.legend} aria-label="Legend">
      <h3>Size: {size}</h3>
      <ScaleRow scale={scene.radius} metric={metric} none={none}>
        <circle cx="8" cy="12" r="4" />
        <circle cx="26" cy="12" r="7" />
        <circle cx="50" cy="12" r="11" />
      </ScaleRow>
      <h3>Width: {isTwice ? 'bytes each way' : width}</h3>
      <ScaleRow scale={scene.width} metric={metric} none={none}>
        <path d="M2 6h58" strokeWidth="1" />
        <path d="M2 12h58" strokeWidth="3" />
        <path d="M2 19h58" strokeWidth="6" />
      </ScaleRow>
      <p className={classes.note}>
        Both scales are logarithmic. The arrow points at who was called
        {isTwice ? '; the line without one is what came back.' : '.'}
      </p>
      <ul className={classes.kinds}>
        {marks.map(({ kind, provider }) => (
          <li key={provider ?? kind}>
            <ShapeMark kind={kind} provider={provider} />
            {provider ? `Host in ${providerName(provider)}` : (kindNames[kind] ?? kindLabels[kind])}
          </li>
        ))}
      </ul>
    </section>
  );
}

type Mark = Pick<SceneNode, 'kind' | 'provider'>;

/** The marks that are on the map, each once. */
function marksOf(scene: Scene): Mark[] {
  const marks = new Map<string, Mark>();
  for (const { kind, provider } of scene.nodes) {
    marks.set(`${kind} ${provider ?? ''}`, { kind, provider });
  }
  return [...marks].sort(([a], [b]) => compareKeys(a, b)).map(([, mark]) => mark);
}

const kindNames: Partial<Record<EntityKind, string>> = {
  external: 'External destination',
  external_group: 'Internet or private, folded',
};

interface ScaleRowProps {
  scale: LogScale;
  metric: string;
  none: string;
  children: React.ReactNode;
}

function ScaleRow({ scale, metric, none, children }: ScaleRowProps) {
  const ends = [scale.low, scale.high].map((value) => formatMetric(metric, Math.round(value)));
  return (
    <div className={classes.scale}>
      <svg width="64" height="24" viewBox="0 0 64 24" aria-hidden>
        {children}
      </svg>
      <span>{scale.high > 0 ? ends.join(' – ') : none}</span>
    </div>
  );
}

const outlines: Record<'circle' | 'square' | 'hexagon', string> = {
  circle: 'M12 2a10 10 0 1 0 .01 0z',
  square: 'M6 2h12a4 4 0 0 1 4 4v12a4 4 0 0 1 -4 4h-12a4 4 0 0 1 -4 -4v-12a4 4 0 0 1 4 -4z',
  hexagon: 'M12 1.5l9.5 5.3v10.4l-9.5 5.3l-9.5-5.3v-10.4z',
};

function ShapeMark({ kind, provider }: Mark) {
  const isOutside = kind === 'external' || kind === 'external_group';
  const isBox = kind === 'host' || kind === 'workload';
  return (
    <span className={classes.shape}>
      <svg width="24" height="24" viewBox="0 0 24 24" aria-hidden>
        <path d={outlines[isOutside ? 'hexagon' : isBox ? 'square' : 'circle']} />
      </svg>
      <EntityIcon kind={kind} provider={provider} size={12} />
    </span>
  );
}
