// The drawn map: owns the WebGL canvases, the camera and the pointer. Takes scenes and what
// stands out; tells what is pointed at, clicked and dragged. Knows nothing of React or the API.
import Graph from 'graphology';
import Sigma from 'sigma';
import type { Emphasis } from '../emphasis';
import type { Point } from '../layout/types';
import type { Scene, SceneGroup, SceneLine, SceneNode } from '../scene';
import { cameraAt, centreOf, fitCamera, pinExtent, scaleMax, scaleMin } from './camera';
import { curveMiddle, loop } from './curve';
import { GroupLayer } from './groupLayer';
import { LabelLayer, type LabelNode, type LabelValue } from './labelLayer';
import { LineHits, type LoopPlace } from './lineHits';
import { CoarseLineProgram, FineLineProgram } from './lineProgram';
import { fineLinesMax, lineDisplay, nodeDisplay, type Standing } from './look';
import { MapNodeProgram } from './nodeProgram';
import { MapPointer, type PointerEvents } from './pointer';
import type { MapTheme } from './theme';

export interface MapViewEvents extends PointerEvents {
  /** After each frame: overlays that hang on a node follow it here. */
  frame(): void;
}

export interface Highlight {
  /** What is among the matches; the rest is faded or hidden. */
  matched: Emphasis;
  isRestHidden: boolean;
  /** What the pointer or the selection touches. */
  touched: Emphasis;
  selected: string | null;
  /** The text on a line of the edge, or null. */
  valueOf(edge: string): string | null;
}

const moveMs = 320;
/** Values are written on at most so many lines at a time. */
const valuesMax = 24;
/** How near the pointer must come to a line. */
const hitPixels = 7;

export class MapView {
  private graph = newGraph();
  private readonly sigma: Sigma;
  private readonly labels: LabelLayer;
  private readonly rooms: GroupLayer;
  private readonly observer: ResizeObserver;
  private scene: Scene = emptyScene();
  private nodes = new Map<string, SceneNode>();
  private lines = new Map<string, SceneLine>();
  private byRadius: SceneNode[] = [];
  private hits: LineHits | null = null;
  private readonly pointer: MapPointer;

  constructor(
    private readonly container: HTMLElement,
    private theme: MapTheme,
    private highlight: Highlight,
    private readonly events: MapViewEvents,
  ) {
    this.sigma = new Sigma(this.graph, container, {
      allowInvalidContainer: true,
      renderLabels: false,
      defaultDrawNodeHover: () => undefined,
      zIndex: true,
      stagePadding: 0,
      defaultNodeType: 'map',
      defaultEdgeType: 'fine',
      nodeProgramClasses: { map: MapNodeProgram },
      nodeHoverProgramClasses: { map: MapNodeProgram },
      edgeProgramClasses: { fine: FineLineProgram, coarse: CoarseLineProgram },
      itemSizesReference: 'screen',
      zoomToSizeRatioFunction: sizeRatio,
      minCameraRatio: 1 / scaleMax,
      maxCameraRatio: 1 / scaleMin,
      doubleClickZoomingRatio: 1,
      nodeReducer: (key) => this.nodeLook(key),
      edgeReducer: (key) => this.lineLook(key),
    });
    pinExtent(this.sigma);
    this.labels = new LabelLayer(this.sigma.createCanvas('names', { afterLayer: 'nodes' }));
    this.rooms = new GroupLayer(this.sigma.createCanvas('rooms', { beforeLayer: 'edges' }));
    this.sigma.on('afterRender', () => this.afterRender());
    const targets = {
      edgeAt: (at: Point) => this.edgeAt(at),
      move: (key: string, place: Point) => this.setPlace(key, place),
    };
    this.pointer = new MapPointer(this.sigma, targets, events);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(container);
  }

  stop(): void {
    this.observer.disconnect();
    this.pointer.stop();
    this.sigma.kill();
  }

  /** Replaces what is drawn; what did not change keeps its place and the camera stays. */
  show(scene: Scene): void {
    this.scene = scene;
    this.nodes = new Map(scene.nodes.map((node) => [node.key, node]));
    this.lines = new Map(scene.lines.map((line) => [line.key, line]));
    this.byRadius = [...scene.nodes].sort((a, b) => b.radius - a.radius);
    this.hits = null;
    this.sigma.setSetting('hideEdgesOnMove', scene.lines.length > fineLinesMax);
    if (this.isSameGraph(scene)) this.movePlaces(scene);
    else this.replaceGraph(scene);
  }

  private isSameGraph({ nodes, lines }: Scene): boolean {
    const { graph } = this;
    return (
      graph.order === nodes.length &&
      graph.size === lines.length &&
      nodes.every((node) => graph.hasNode(node.key)) &&
      lines.every((line) => graph.hasEdge(line.key))
    );
  }

  private movePlaces(scene: Scene): void {
    for (const { key, x, y } of scene.nodes) {
      const old = this.place(key);
      if (key === this.pointer.draggedKey || (old?.x === x && old.y === y)) continue;
      this.graph.mergeNodeAttributes(key, { x, y: -y });
    }
    this.sigma.refresh();
  }

  /** At once rather than change by change: sigma does work for every single one. */
  private replaceGraph(scene: Scene): void {
    const graph = newGraph();
    for (const { key, x, y } of scene.nodes) graph.addNode(key, { x, y: -y });
    for (const { key, source, target } of scene.lines) graph.addEdgeWithKey(key, source, target);
    this.graph = graph;
    this.sigma.setGraph(graph);
  }

  setTheme(theme: MapTheme): void {
    this.theme = theme;
    this.sigma.refresh({ skipIndexation: true });
  }

  setHighlight(highlight: Highlight): void {
    this.highlight = highlight;
    // Bringing lines to the front means ordering all of them again.
    this.sigma.refresh({ skipIndexation: this.lines.size > fineLinesMax });
  }

  fit(isAnimated: boolean): void {
    const state = fitCamera(this.sigma, this.visiblePoints());
    this.moveTo(state, isAnimated);
  }

  zoom(factor: number): void {
    const camera = this.sigma.getCamera();
    const ratio = Math.min(1 / scaleMin, Math.max(1 / scaleMax, camera.ratio / factor));
    this.moveTo({ ...camera.getState(), ratio }, true);
  }

  /** Moves what is seen by pixels. */
  pan(dx: number, dy: number): void {
    const centre = centreOf(this.sigma);
    const scale = this.scale();
    const moved = { x: centre.x + dx / scale, y: centre.y + dy / scale };
    this.moveTo(cameraAt(this.sigma, moved, scale), true);
  }

  /** Brings a node into view; does nothing when it already is. */
  reveal(key: string): void {
    const at = this.screenPlace(key);
    const { width, height } = this.sigma.getDimensions();
    if (!at) return;
    const margin = 60;
    const isInside =
      at.x > margin && at.y > margin && at.x < width - margin && at.y < height - margin;
    const scale = Math.max(this.scale(), 0.6);
    if (isInside && this.scale() >= 0.3) return;
    const place = this.place(key);
    if (place) this.moveTo(cameraAt(this.sigma, place, scale), true);
  }

  /** Where a node is on the screen, relative to the container. */
  screenPlace(key: string): (Point & { radius: number }) | null {
    const place = this.place(key);
    const node = this.nodes.get(key);
    if (!place || !node) return null;
    const { x, y } = this.sigma.graphToViewport({ x: place.x, y: -place.y });
    return { x, y, radius: this.sigma.scaleSize(node.radius) };
  }

  /** Moves a node by layout units, as the arrow keys do. */
  nudge(key: string, dx: number, dy: number): void {
    const place = this.place(key);
    if (!place) return;
    this.setPlace(key, { x: place.x + dx, y: place.y + dy });
    this.events.dragEnd(key, { x: place.x + dx, y: place.y + dy });
  }

  /** The map as it is on the screen, with its background. */
  picture(): HTMLCanvasElement {
    this.sigma.refresh();
    const canvas = document.createElement('canvas');
    const layers = this.sigma.getCanvases();
    const sample = layers['nodes'];
    canvas.width = sample?.width ?? 0;
    canvas.height = sample?.height ?? 0;
    const context = canvas.getContext('2d');
    if (!context) return canvas;
    context.fillStyle = this.theme.background;
    context.fillRect(0, 0, canvas.width, canvas.height);
    for (const id of ['rooms', 'edges', 'nodes', 'names']) {
      const layer = this.container.querySelector<HTMLCanvasElement>(`canvas.sigma-${id}`);
      if (layer) context.drawImage(layer, 0, 0, canvas.width, canvas.height);
    }
    return canvas;
  }

  private scale(): number {
    return 1 / this.sigma.getCamera().ratio;
  }

  private place(key: string): Point | null {
    if (!this.graph.hasNode(key)) return null;
    const { x, y } = this.graph.getNodeAttributes(key) as Point;
    return { x, y: -y };
  }

  private setPlace(key: string, { x, y }: Point): void {
    this.hits = null;
    this.graph.mergeNodeAttributes(key, { x, y: -y });
    this.sigma.refresh({ partialGraph: { edges: this.graph.edges(key) }, schedule: true });
  }

  private edgeAt(at: Point): string | null {
    this.hits ??= new LineHits(
      this.scene.lines
        .filter((line) => this.lineStanding(line) !== 'hidden')
        .map(({ key, source, target, curvature }) => ({
          key,
          from: this.place(source) ?? { x: 0, y: 0 },
          to: this.place(target) ?? { x: 0, y: 0 },
          curvature,
        })),
    );
    const { x, y } = this.sigma.viewportToGraph(at);
    const tolerance = hitPixels / this.scale();
    const key = this.hits.at({ x, y: -y }, tolerance, (line) => this.loopPlace(line));
    return key === null ? null : (this.lines.get(key)?.edge ?? null);
  }

  private loopPlace(key: string): LoopPlace | null {
    const line = this.lines.get(key);
    const node = line && this.nodes.get(line.source);
    const place = line && this.place(line.source);
    if (!node || !place) return null;
    const radius = this.sigma.scaleSize(node.radius) / this.scale();
    return {
      centre: { x: place.x, y: place.y - radius * loop.rise },
      radius: radius * loop.radius,
    };
  }

  private visiblePoints(): Point[] {
    const shown = this.scene.nodes.filter((node) => this.standing(node.key) !== 'hidden');
    return shown.map((node) => this.place(node.key) ?? node);
  }

  private moveTo(state: ReturnType<typeof cameraAt>, isAnimated: boolean): void {
    const isCalm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    const camera = this.sigma.getCamera();
    if (isAnimated && !isCalm) void camera.animate(state, { duration: moveMs });
    else camera.setState(state);
  }

  private resize(): void {
    const centre = centreOf(this.sigma);
    const scale = this.scale();
    this.sigma.resize(true);
    pinExtent(this.sigma);
    this.sigma.getCamera().setState(cameraAt(this.sigma, centre, scale));
    this.sigma.refresh();
  }

  private standing(key: string): Standing {
    const { matched, touched, isRestHidden } = this.highlight;
    const isMatched = !matched.nodes || matched.nodes.has(key);
    if (!isMatched && isRestHidden) return 'hidden';
    if (touched.nodes) return touched.nodes.has(key) ? 'near' : 'faded';
    return isMatched ? 'normal' : 'faded';
  }

  private lineStanding(line: SceneLine): Standing {
    const { matched, touched, isRestHidden } = this.highlight;
    const isMatched = !matched.edges || matched.edges.has(line.edge);
    if (!isMatched && isRestHidden) return 'hidden';
    if (touched.edges) return touched.edges.has(line.edge) ? 'near' : 'faded';
    return isMatched ? 'normal' : 'faded';
  }

  private nodeLook(key: string) {
    const { x, y } = this.graph.getNodeAttributes(key) as Point;
    const node = this.nodes.get(key);
    if (!node) return { x, y, hidden: true };
    const isSelected = this.highlight.selected === key;
    return { x, y, ...nodeDisplay(node, this.theme, this.standing(key), isSelected) };
  }

  private lineLook(key: string) {
    const line = this.lines.get(key);
    if (!line) return { hidden: true };
    const standing = this.lineStanding(line);
    return lineDisplay(line, this.theme, standing, this.lines.size);
  }

  private afterRender(): void {
    const { width, height } = this.sigma.getDimensions();
    const { pixelRatio } = this.sigma.getRenderParams();
    const nodes: LabelNode[] = [];
    for (const node of this.byRadius) {
      const label = this.labelOf(node, width, height);
      if (label) nodes.push(label);
    }
    const rank = { near: 0, normal: 1, faded: 2 };
    nodes.sort((a, b) => rank[a.standing] - rank[b.standing]);
    const values = this.lineValues();
    const { theme } = this;
    const rooms = this.scene.groups.map((group) => this.roomOf(group));
    const groups = rooms.map(({ name, box }) => ({
      name,
      x: (box.left + box.right) / 2,
      y: box.top,
    }));
    const frame = { width, height, pixelRatio, scale: this.scale(), theme };
    this.rooms.draw({ ...frame, boxes: rooms.map((room) => room.box) });
    this.labels.draw({ ...frame, nodes, values, groups });
    this.events.frame();
  }

  private roomOf({ name, left, top, right, bottom }: SceneGroup) {
    const low = this.sigma.graphToViewport({ x: left, y: -top });
    const high = this.sigma.graphToViewport({ x: right, y: -bottom });
    return { name, box: { left: low.x, top: low.y, right: high.x, bottom: high.y } };
  }

  private labelOf(node: SceneNode, width: number, height: number): LabelNode | null {
    const standing = this.standing(node.key);
    const at = this.screenPlace(node.key);
    if (standing === 'hidden' || !at) return null;
    const margin = 80;
    if (at.x < -margin || at.y < -margin || at.x > width + margin || at.y > height + margin) {
      return null;
    }
    const { key, label, qualifier, isNew } = node;
    return { key, ...at, text: label, place: qualifier, isNew, standing };
  }

  private lineValues(): LabelValue[] {
    const { touched, valueOf } = this.highlight;
    if (!touched.edges || touched.edges.size > valuesMax) return [];
    const values: LabelValue[] = [];
    for (const line of this.scene.lines) {
      if (!line.hasArrow || !touched.edges.has(line.edge)) continue;
      const text = valueOf(line.edge);
      const middle = this.lineMiddle(line);
      if (!text || !middle) continue;
      const { x, y } = this.sigma.graphToViewport({ x: middle.x, y: -middle.y });
      values.push({ key: line.key, x, y, text });
    }
    return values;
  }

  private lineMiddle({ key, source, target, curvature }: SceneLine): Point | null {
    if (source === target) {
      const place = this.loopPlace(key);
      return place && { x: place.centre.x, y: place.centre.y - place.radius };
    }
    const [from, to] = [this.place(source), this.place(target)];
    if (!from || !to || (from.x === to.x && from.y === to.y)) return null;
    return curveMiddle(from, to, curvature);
  }
}

function newGraph(): Graph {
  return new Graph({ type: 'directed', multi: true, allowSelfLoops: true });
}

/** Items shrink slower than the map, so that they stay visible; closer up they grow with it. */
function sizeRatio(ratio: number): number {
  return ratio <= 1 ? ratio : ratio ** 0.7;
}

function emptyScene(): Scene {
  const none = Object.assign(() => 1, { low: 0, high: 0 });
  return { nodes: [], lines: [], groups: [], radius: none, width: none };
}
