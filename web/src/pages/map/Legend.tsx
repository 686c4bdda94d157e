// What sizes, widths and shapes mean, with the figures at both ends of each scale.
import { kindLabels, type EntityKind } from '../../domain/entity';
import { formatBytes } from '../../domain/units';
import { pairsWithTwoLinesMax, type Scene } from '../../graph/scene';
import type { LogScale } from '../../graph/scale';
import { EntityIcon } from '../../parts/EntityLabel';
import classes from './FillPanel.module.css';

export function Legend({ scene, pairs }: { scene: Scene; pairs: number }) {
  const kinds = [...new Set(scene.nodes.map((node) => node.kind))].sort();
  const hasTwoLines = pairs <= pairsWithTwoLinesMax;
  return (
    <section className={classes.legend} aria-label="Legend">
      <h3>Size: traffic in</h3>
      <ScaleRow scale={scene.radius}>
        <circle cx="8" cy="12" r="4" />
        <circle cx="26" cy="12" r="7" />
        <circle cx="50" cy="12" r="11" />
      </ScaleRow>
      <h3>Width: {hasTwoLines ? 'bytes each way' : 'bytes of the pair'}</h3>
      <ScaleRow scale={scene.width}>
        <path d="M2 6h58" strokeWidth="1" />
        <path d="M2 12h58" strokeWidth="3" />
        <path d="M2 19h58" strokeWidth="6" />
      </ScaleRow>
      <p className={classes.note}>
        Both scales are logarithmic. The arrow points at who was called
        {hasTwoLines ? '; the line without one is what came back.' : '.'}
      </p>
      <ul className={classes.kinds}>
        {kinds.map((kind) => (
          <li key={kind}>
            <ShapeMark kind={kind} />
            {kindNames[kind] ?? kindLabels[kind]}
          </li>
        ))}
      </ul>
    </section>
  );
}

const kindNames: Partial<Record<EntityKind, string>> = {
  external: 'External destination',
  external_group: 'Internet or private, folded',
};

function ScaleRow({ scale, children }: { scale: LogScale; children: React.ReactNode }) {
  return (
    <div className={classes.scale}>
      <svg width="64" height="24" viewBox="0 0 64 24" aria-hidden>
        {children}
      </svg>
      <span>
        {scale.high > 0 ? `${formatBytes(scale.low)} – ${formatBytes(scale.high)}` : 'no traffic'}
      </span>
    </div>
  );
}

const outlines: Record<'circle' | 'square' | 'hexagon', string> = {
  circle: 'M12 2a10 10 0 1 0 .01 0z',
  square: 'M6 2h12a4 4 0 0 1 4 4v12a4 4 0 0 1 -4 4h-12a4 4 0 0 1 -4 -4v-12a4 4 0 0 1 4 -4z',
  hexagon: 'M12 1.5l9.5 5.3v10.4l-9.5 5.3l-9.5-5.3v-10.4z',
};

function ShapeMark({ kind }: { kind: EntityKind }) {
  const isOutside = kind === 'external' || kind === 'external_group';
  const isBox = kind === 'host' || kind === 'workload';
  return (
    <span className={classes.shape}>
      <svg width="24" height="24" viewBox="0 0 24 24" aria-hidden>
        <path d={outlines[isOutside ? 'hexagon' : isBox ? 'square' : 'circle']} />
      </svg>
      <EntityIcon kind={kind} size={12} />
    </span>
  );
}
