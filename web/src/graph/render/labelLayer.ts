// The text over the map: node names (and places), values on the lines that are pointed at, and
// names of islands. One 2D canvas, drawn after each frame; what has no room is not drawn.
import { placeLabels, TakenBoxes, type LabelWish } from '../labels';
import { shortName } from '../scene';
import { mixColors, type MapTheme } from './theme';

export interface LabelNode {
  key: string;
  x: number;
  y: number;
  radius: number;
  text: string;
  place: string | null;
  isNew: boolean;
  standing: 'normal' | 'near' | 'faded';
}

export interface LabelValue {
  key: string;
  x: number;
  y: number;
  text: string;
}

export interface LabelGroup {
  name: string;
  /** Middle of the upper edge. */
  x: number;
  y: number;
}

export interface LabelFrame {
  width: number;
  height: number;
  pixelRatio: number;
  /** Most important first. */
  nodes: readonly LabelNode[];
  groups: readonly LabelGroup[];
  values: readonly LabelValue[];
  /** How many pixels one layout unit has: places are shown only when there is room. */
  scale: number;
  theme: MapTheme;
}

/** Labels tried per frame; beyond that there is no room left anyway. */
const labelsTriedMax = 900;
const nameFont = "500 11.5px 'Inter Variable', ui-sans-serif, system-ui, sans-serif";
const placeFont = "400 10.5px 'Inter Variable', ui-sans-serif, system-ui, sans-serif";
const valueFont = "600 10.5px 'Inter Variable', ui-sans-serif, system-ui, sans-serif";
const lineHeight = 14;
const padding = 3;
const charactersMax = 22;
/** Below this radius in pixels a node gets a label only while it is pointed at. */
const radiusMin = 3.2;
/** Names of groups stand alone while the map is smaller than this. */
const groupsOnlyScale = 0.24;
const groupFont = "600 12px 'Inter Variable', ui-sans-serif, system-ui, sans-serif";

export class LabelLayer {
  private readonly context: CanvasRenderingContext2D | null;
  private readonly widths = new Map<string, number>();

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext('2d');
  }

  draw(frame: LabelFrame): void {
    const { context, canvas } = this;
    if (!context) return;
    const width = Math.round(frame.width * frame.pixelRatio);
    const height = Math.round(frame.height * frame.pixelRatio);
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    context.setTransform(frame.pixelRatio, 0, 0, frame.pixelRatio, 0, 0);
    context.clearRect(0, 0, frame.width, frame.height);
    context.textBaseline = 'middle';
    context.textAlign = 'center';
    const taken = new TakenBoxes();
    this.drawGroupNames(frame, taken);
    this.takeNodes(frame, taken);
    this.drawValues(frame, taken);
    this.drawNames(frame, taken);
  }

  private takeNodes({ nodes }: LabelFrame, taken: TakenBoxes): void {
    for (const { x, y, radius } of nodes.slice(0, labelsTriedMax)) {
      const r = radius * 0.9;
      taken.add({ left: x - r, top: y - r, right: x + r, bottom: y + r });
    }
  }

  private drawNames(frame: LabelFrame, taken: TakenBoxes): void {
    const isFar = frame.groups.length > 0 && frame.scale < groupsOnlyScale;
    const least = isFar ? Infinity : radiusMin;
    const shown = frame.nodes.filter(
      ({ standing, radius }) => standing === 'near' || (radius >= least && standing === 'normal'),
    );
    const byKey = new Map(shown.map((node) => [node.key, node]));
    const wishes = shown.slice(0, labelsTriedMax).map((node) => this.wish(node, frame.scale));
    const room = { left: 0, top: 0, right: frame.width, bottom: frame.height };
    for (const { id, box } of placeLabels(wishes, taken, room)) {
      const node = byKey.get(id);
      if (node) this.drawName(node, box, frame);
    }
  }

  private wish(node: LabelNode, scale: number): LabelWish {
    const place = placeOf(node, scale);
    const text = nameOf(node);
    const marks = node.isNew ? 12 : 0;
    const nameWidth = this.measure(text, nameFont) + marks;
    const width = Math.max(nameWidth, place ? this.measure(place, placeFont) : 0) + 2 * padding;
    const height = lineHeight * (place ? 2 : 1) + 2;
    return { id: node.key, x: node.x, y: node.y, radius: node.radius, width, height };
  }

  private drawName(
    node: LabelNode,
    box: { left: number; top: number; right: number; bottom: number },
    { theme, scale }: LabelFrame,
  ): void {
    const { context } = this;
    if (!context) return;
    context.fillStyle = `${theme.background}${node.standing === 'near' ? 'f2' : 'c8'}`;
    context.beginPath();
    context.roundRect(box.left, box.top, box.right - box.left, box.bottom - box.top, 4);
    context.fill();
    const middle = (box.left + box.right) / 2;
    const line = box.top + 1 + lineHeight / 2;
    context.font = nameFont;
    context.fillStyle = theme.text;
    context.fillText(nameOf(node), middle + (node.isNew ? 5 : 0), line);
    if (node.isNew) {
      context.fillStyle = theme.accent;
      context.beginPath();
      context.arc(box.left + padding + 4, line, 3, 0, Math.PI * 2);
      context.fill();
    }
    const place = placeOf(node, scale);
    if (!place) return;
    context.font = placeFont;
    context.fillStyle = mixColors(theme.muted, theme.background, 0.1);
    context.fillText(place, middle, line + lineHeight - 1);
  }

  private drawGroupNames({ groups, theme }: LabelFrame, taken: TakenBoxes): void {
    const { context } = this;
    if (!context) return;
    context.font = groupFont;
    for (const { name, x, y } of groups) {
      const text = shortName(name, charactersMax + 6);
      const half = this.measure(text, groupFont) / 2 + 6;
      const box = { left: x - half, top: y - 19, right: x + half, bottom: y - 3 };
      if (!taken.isFree(box)) continue;
      taken.add(box);
      context.lineWidth = 4;
      context.lineJoin = 'round';
      context.strokeStyle = theme.background;
      context.strokeText(text, x, y - 11);
      context.fillStyle = mixColors(theme.muted, theme.text, 0.4);
      context.fillText(text, x, y - 11);
    }
  }

  private drawValues({ values, theme }: LabelFrame, taken: TakenBoxes): void {
    const { context } = this;
    if (!context) return;
    context.font = valueFont;
    context.lineWidth = 1;
    for (const { x, y, text } of values) {
      const half = this.measure(text, valueFont) / 2 + 5;
      const box = { left: x - half, top: y - 8, right: x + half, bottom: y + 8 };
      if (!taken.isFree(box)) continue;
      taken.add(box);
      context.fillStyle = theme.surface;
      context.strokeStyle = theme.border;
      context.beginPath();
      context.roundRect(box.left, box.top, box.right - box.left, 16, 8);
      context.fill();
      context.stroke();
      context.fillStyle = theme.text;
      context.fillText(text, x, y + 0.5);
    }
  }

  private measure(text: string, font: string): number {
    const key = font + text;
    const known = this.widths.get(key);
    if (known !== undefined) return known;
    if (!this.context) return 0;
    this.context.font = font;
    const { width } = this.context.measureText(text);
    this.widths.set(key, width);
    return width;
  }
}

function nameOf({ text, standing }: LabelNode): string {
  return shortName(text, standing === 'near' ? 60 : charactersMax);
}

function placeOf({ place, standing }: LabelNode, scale: number): string | null {
  if (!place || (scale < 0.85 && standing !== 'near')) return null;
  return shortName(place, charactersMax + 2);
}
