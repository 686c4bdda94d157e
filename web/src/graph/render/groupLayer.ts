// The rooms of groups, under everything else: soft shapes that say what belongs together.
import type { Box } from '../labels';
import { mixColors, type MapTheme } from './theme';

export interface GroupFrame {
  width: number;
  height: number;
  pixelRatio: number;
  scale: number;
  theme: MapTheme;
  boxes: readonly Box[];
}

/** Corners are round as far as this, in layout units: islands become discs. */
const cornerMax = 420;

export class GroupLayer {
  private readonly context: CanvasRenderingContext2D | null;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext('2d');
  }

  draw({ width, height, pixelRatio, scale, theme, boxes }: GroupFrame): void {
    const { context, canvas } = this;
    if (!context) return;
    const [wide, tall] = [Math.round(width * pixelRatio), Math.round(height * pixelRatio)];
    if (canvas.width !== wide) canvas.width = wide;
    if (canvas.height !== tall) canvas.height = tall;
    context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.fillStyle = mixColors(theme.background, theme.surface, 0.9);
    context.strokeStyle = mixColors(theme.border, theme.muted, 0.18);
    for (const { left, top, right, bottom } of boxes) {
      const corner = Math.min(cornerMax * scale, (right - left) / 2, (bottom - top) / 2);
      context.beginPath();
      context.roundRect(left, top, right - left, bottom - top, corner);
      context.fill();
      context.stroke();
    }
  }
}
