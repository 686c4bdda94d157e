// The small pictures inside nodes, as one strip of white shapes that the node program tints.
import type { EntityKind } from '../../domain/entity';
import { providerMark, providers, type Provider } from '../../domain/provider';

/** Paths on a grid of 24, drawn as strokes. */
const strokes: Record<EntityKind, string> = {
  process: 'M5 8l4 4l-4 4M12.5 17h7',
  host: 'M4 5h16v6h-16zM4 13h16v6h-16zM7.5 8h.01M7.5 16h.01',
  pod: 'M12 3l8 4.5v9l-8 4.5l-8-4.5v-9zM12 12l8-4.5M12 12v9M12 12l-8-4.5',
  workload: 'M12 4l8 4l-8 4l-8-4zM4 12l8 4l8-4M4 16l8 4l8-4',
  service:
    'M12 7l-6 9M12 7l6 9M7 18h10M12 3.6a1.6 1.6 0 1 0 .1 0M5 16a1.6 1.6 0 1 0 .1 0M19 16a1.6 1.6 0 1 0 .1 0',
  external:
    'M12 3.5a8.5 8.5 0 1 0 .1 0M4 9.3h16M4 14.7h16M12 3.5c-5 5-5 12 0 17M12 3.5c5 5 5 12 0 17',
  external_group: 'M7 18a4.2 4.2 0 0 1-.6-8.3a5.8 5.8 0 0 1 11.1.8a3.8 3.8 0 0 1 .3 7.5z',
};

const order = Object.keys(strokes) as EntityKind[];
const drawn = [...Object.values(strokes), ...providers.map(providerMark)];

export const glyphSize = 64;
/** A power of two wide, so that WebGL 1 can make mipmaps of it. */
export const glyphCells = 16;

/** A host in a cloud has that cloud's mark. */
export function glyphIndex(kind: EntityKind, provider: Provider | null): number {
  return provider === null ? order.indexOf(kind) : order.length + providers.indexOf(provider);
}

export function drawGlyphs(): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = glyphSize * glyphCells;
  canvas.height = glyphSize;
  const context = canvas.getContext('2d');
  if (!context) return canvas;
  context.strokeStyle = '#ffffff';
  context.lineCap = 'round';
  context.lineJoin = 'round';
  context.lineWidth = 1.9;
  const margin = 4;
  drawn.forEach((path, i) => {
    const scale = (glyphSize - 2 * margin) / 24;
    context.setTransform(scale, 0, 0, scale, i * glyphSize + margin, margin);
    context.stroke(new Path2D(path));
  });
  return canvas;
}
