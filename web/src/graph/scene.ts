// What is to be drawn: each node and line with its size and interval, before any colour. Pure.
import { entityQualifier, type EntityKind } from '../domain/entity';
import { providerOf, type Provider } from '../domain/provider';
import { stepOf, type Bounds, type Step } from './intervals';
import { isIslands } from './layout/layout';
import type { Positions } from './layout/types';
import { edgeKey, type MapEdge, type MapModel, type MapNode } from './model';
import { lineWidth, logScale, nodeRadius, type LogScale } from './scale';

/** More pairs than this are drawn with one line each instead of two. */
export const pairsWithTwoLinesMax = 1500;

/** Whether what came back has a line of its own. */
export function hasTwoLines({ volume, edges }: MapModel): boolean {
  return volume.isTwoWay && edges.length <= pairsWithTwoLinesMax;
}

export type Shape = 'circle' | 'square' | 'hexagon';

export interface SceneNode {
  key: string;
  x: number;
  y: number;
  radius: number;
  shape: Shape;
  kind: EntityKind;
  provider: Provider | null;
  label: string;
  qualifier: string | null;
  step: Step;
  isNew: boolean;
}

export interface SceneLine {
  key: string;
  /** Key of the edge that this line is a part of. */
  edge: string;
  source: string;
  target: string;
  width: number;
  step: Step;
  /** The line of what the client sent carries the arrow; what came back has none. */
  hasArrow: boolean;
  curvature: number;
}

/** The room of one named group, around its nodes. */
export interface SceneGroup {
  id: string;
  name: string;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface Scene {
  nodes: SceneNode[];
  lines: SceneLine[];
  groups: SceneGroup[];
  radius: LogScale;
  width: LogScale;
}

export interface Fill {
  metric: string;
  bounds: Bounds | null;
}

const shapes: Record<EntityKind, Shape> = {
  process: 'circle',
  host: 'square',
  pod: 'circle',
  workload: 'square',
  service: 'circle',
  external: 'hexagon',
  external_group: 'hexagon',
};

/** Every value that the fill metric has on this map, of nodes and edges alike. */
export function fillValues(model: MapModel, metric: string): (number | null)[] {
  const values: (number | null)[] = [];
  for (const node of model.nodes) values.push(node.metrics[metric] ?? null);
  for (const edge of model.edges) values.push(edge.metrics[metric] ?? null);
  return values;
}

export function buildScene(
  model: MapModel,
  positions: Positions,
  fill: Fill,
  isNew: (key: string) => boolean,
): Scene {
  const radius = logScale(
    model.nodes.map((node) => node.inbound),
    nodeRadius,
  );
  const flows = model.edges.flatMap((edge) => [edge.sent, edge.received]);
  const isSingle = !hasTwoLines(model);
  const widths = isSingle ? model.edges.map((edge) => edge.sent + edge.received) : flows;
  const width = logScale(widths, lineWidth);
  const clusters = new Set(model.nodes.map((node) => node.entity.cluster).filter(Boolean));
  const placeOf = (node: MapNode) => entityQualifier(node.entity, clusters.size > 1);
  const places = new Set(model.nodes.map(placeOf).filter(Boolean));
  const nodes = model.nodes.map((node): SceneNode => ({
    ...placed(node, positions),
    radius: radius(node.inbound),
    shape: shapes[node.entity.kind],
    kind: node.entity.kind,
    provider: providerOf(node.entity, node.provider),
    label: node.entity.name,
    qualifier: places.size > 1 ? placeOf(node) : null,
    step: stepOf(node.metrics[fill.metric], fill.bounds),
    isNew: isNew(node.key),
  }));
  const lines = model.edges.flatMap((edge) => linesOf(edge, model, fill, width, isSingle));
  return { nodes, lines, groups: groupRooms(model, positions), radius, width };
}

function placed(node: MapNode, positions: Positions): { key: string; x: number; y: number } {
  const { x, y } = positions[node.key] ?? { x: 0, y: 0 };
  return { key: node.key, x, y };
}

const groupMargin = 52;

/** Groups are drawn where the layout made islands of them. */
function groupRooms(model: MapModel, positions: Positions): SceneGroup[] {
  if (model.groups.size === 0 || !isIslands(model)) return [];
  const rooms = new Map<string, SceneGroup>();
  for (const node of model.nodes) {
    const name = node.group === null ? undefined : model.groups.get(node.group);
    const at = positions[node.key];
    if (node.group === null || name === undefined || !at) continue;
    const room = rooms.get(node.group);
    const own = {
      left: at.x - groupMargin,
      top: at.y - groupMargin,
      right: at.x + groupMargin,
      bottom: at.y + groupMargin,
    };
    if (room) {
      room.left = Math.min(room.left, own.left);
      room.top = Math.min(room.top, own.top);
      room.right = Math.max(room.right, own.right);
      room.bottom = Math.max(room.bottom, own.bottom);
    } else rooms.set(node.group, { id: node.group, name, ...own });
  }
  return [...rooms.values()];
}

const nearCurve = 0.11;
const farCurve = 0.27;

function linesOf(
  edge: MapEdge,
  model: MapModel,
  fill: Fill,
  width: LogScale,
  isSingle: boolean,
): SceneLine[] {
  const answers = model.edgeByKey.has(edgeKey(edge.server, edge.client));
  const isOuter = answers && edge.client > edge.server;
  const curvature = isOuter ? farCurve : nearCurve;
  const shared = {
    edge: edge.key,
    step: stepOf(edge.metrics[fill.metric], fill.bounds),
    curvature,
  };
  const there = { ...shared, source: edge.client, target: edge.server, hasArrow: true };
  if (isSingle || edge.isSelf) {
    const total = edge.sent + edge.received;
    return [{ ...there, key: `${edge.key}>`, width: width(total) }];
  }
  const back = { ...shared, source: edge.server, target: edge.client, hasArrow: false };
  return [
    { ...back, key: `${edge.key}<`, width: width(edge.received) },
    { ...there, key: `${edge.key}>`, width: width(edge.sent) },
  ];
}

/** At most so many characters; the middle goes, because both ends of a name tell things apart. */
export function shortName(name: string, charactersMax: number): string {
  if (name.length <= charactersMax) return name;
  const head = Math.ceil((charactersMax - 1) * 0.55);
  return `${name.slice(0, head)}…${name.slice(name.length - (charactersMax - 1 - head))}`;
}
