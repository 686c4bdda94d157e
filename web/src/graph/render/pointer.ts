// The pointer on the map: what it is on, clicks, double clicks, and dragging a node.
import type Sigma from 'sigma';
import type { Pointed } from '../emphasis';
import type { Point } from '../layout/types';

export interface PointerEvents {
  /** With the pointer's place in the container. */
  point(pointed: Pointed, at: Point): void;
  click(pointed: Pointed, at: Point): void;
  doubleClick(key: string): void;
  dragEnd(key: string, place: Point): void;
}

export interface PointerTargets {
  /** Key of the edge whose line is at a place of the container. */
  edgeAt(at: Point): string | null;
  move(key: string, place: Point): void;
}

export class MapPointer {
  private on: Pointed = null;
  private dragged: { key: string; place: Point | null } | null = null;
  private looking: number | null = null;

  constructor(
    private readonly sigma: Sigma,
    private readonly targets: PointerTargets,
    private readonly events: PointerEvents,
  ) {
    sigma.on('enterNode', ({ node, event }) => this.set({ kind: 'node', key: node }, event));
    sigma.on('leaveNode', ({ event }) => this.set(null, event));
    sigma.on('leaveStage', ({ event }) => this.set(null, event));
    sigma.on('clickNode', ({ node, event }) => events.click({ kind: 'node', key: node }, event));
    sigma.on('clickStage', ({ event }) => events.click(this.edgeUnder(event), event));
    sigma.on('doubleClickNode', ({ node, preventSigmaDefault }) => {
      preventSigmaDefault();
      events.doubleClick(node);
    });
    sigma.on('downNode', ({ node, event }) => {
      this.dragged = { key: node, place: null };
      event.preventSigmaDefault();
    });
    sigma.on('moveBody', ({ event }) => {
      if (this.dragged) this.drag(event);
      else this.lookForLine(event);
    });
    // What moved away under a still pointer is not pointed at any more.
    sigma.getCamera().on('updated', () => this.set(null, { x: 0, y: 0 }));
    const drop = () => this.drop();
    sigma.getMouseCaptor().on('mouseup', drop);
    sigma.getTouchCaptor().on('touchup', drop);
  }

  get draggedKey(): string | null {
    return this.dragged?.key ?? null;
  }

  stop(): void {
    if (this.looking !== null) cancelAnimationFrame(this.looking);
  }

  private set(pointed: Pointed, at: Point): void {
    if (this.dragged) return;
    const isSame = this.on?.kind === pointed?.kind && this.on?.key === pointed?.key;
    if (isSame) return;
    this.on = pointed;
    this.sigma.getContainer().style.cursor = pointed ? 'pointer' : '';
    this.events.point(pointed, at);
  }

  private edgeUnder(at: Point): Pointed {
    const key = this.targets.edgeAt(at);
    return key === null ? null : { kind: 'edge', key };
  }

  /** At most once per frame, and not over a node. */
  private lookForLine({ x, y }: Point): void {
    if (this.on?.kind === 'node' || this.looking !== null) return;
    this.looking = requestAnimationFrame(() => {
      this.looking = null;
      if (this.on?.kind !== 'node') this.set(this.edgeUnder({ x, y }), { x, y });
    });
  }

  private drag(event: Point & { preventSigmaDefault(): void; original: Event }): void {
    const { dragged } = this;
    if (!dragged) return;
    const { x, y } = this.sigma.viewportToGraph(event);
    if (!dragged.place) this.events.point(null, event);
    dragged.place = { x, y: -y };
    this.targets.move(dragged.key, dragged.place);
    event.preventSigmaDefault();
    event.original.preventDefault();
    event.original.stopPropagation();
  }

  private drop(): void {
    const { dragged } = this;
    this.dragged = null;
    this.on = null;
    if (dragged?.place) this.events.dragEnd(dragged.key, dragged.place);
  }
}
