// From a scene and what stands out to the attributes that the programs draw. No WebGL here.
import { withAlpha } from '../../base/palette';
import type { SceneLine, SceneNode, Shape } from '../scene';
import { glyphIndex } from './glyphs';
import type { LineLook } from './lineProgram';
import type { NodeLook } from './nodeProgram';
import { mixColors, stepColor, type MapTheme } from './theme';

/** normal; near: touched by the pointer or the selection; faded: steps back; hidden. */
export type Standing = 'normal' | 'near' | 'faded' | 'hidden';

const shapeNumbers: Record<Shape, number> = { circle: 0, square: 1, hexagon: 2 };
const clear = '#00000000';
/** How far what steps back goes towards the background. */
const fade = 0.86;

export type NodeDisplay = NodeLook & { size: number; zIndex: number; hidden: boolean };
export type LineDisplay = LineLook & {
  type: 'fine' | 'coarse';
  size: number;
  color: string;
  zIndex: number;
  hidden: boolean;
};

export function nodeDisplay(
  node: SceneNode,
  theme: MapTheme,
  standing: Standing,
  isSelected: boolean,
): NodeDisplay {
  const color = stepColor(theme, node.step);
  const tint = node.step === null ? 0.06 : 0.15;
  const isFaded = standing === 'faded';
  const away = (hex: string, share = fade) =>
    isFaded ? mixColors(hex, theme.background, share) : hex;
  return {
    size: node.radius,
    zIndex: isFaded ? 0 : standing === 'near' ? 2 : 1,
    hidden: standing === 'hidden',
    ring: away(color),
    fill: away(mixColors(theme.surface, color, tint), 0.7),
    glyphColor: away(mixColors(theme.text, theme.surface, 0.12)),
    halo: isSelected ? withAlpha(theme.accent, 1) : clear,
    shape: shapeNumbers[node.shape],
    step: node.step ?? -1,
    glyph: glyphIndex(node.kind, node.provider),
  };
}

/** With more lines than this, curves have fewer corners, and faded ones are left out. */
export const fineLinesMax = 3000;

/** Lines are ordered by width: the heaviest are drawn last, over the others. */
const widthLayers = 8;

export function lineDisplay(
  line: SceneLine,
  theme: MapTheme,
  standing: Standing,
  lineCount: number,
): LineDisplay {
  const color = stepColor(theme, line.step);
  const isMany = lineCount > fineLinesMax;
  const opacity = opacityOf(standing, line.step === null, lineCount);
  const returns = line.hasArrow ? 1 : 0.62;
  return {
    size: line.width,
    color: withAlpha(color, standing === 'faded' ? opacity : opacity * returns),
    zIndex: Math.min(widthLayers - 1, Math.round(line.width)) + (standing === 'near' ? 20 : 0),
    type: isMany ? 'coarse' : 'fine',
    hidden: standing === 'hidden' || (isMany && standing === 'faded'),
    curvature: line.curvature,
    hasArrow: line.hasArrow,
    isDashed: line.step === null,
  };
}

/** The more lines, the thinner the ink, so that density reads as density. */
function opacityOf(standing: Standing, isGrey: boolean, lineCount: number): number {
  if (standing === 'faded') return 0.1;
  if (standing === 'near') return 1;
  const crowd = Math.max(0.09, Math.min(0.85, 0.85 * (120 / lineCount) ** 0.45));
  return isGrey ? crowd * 0.9 : crowd;
}
