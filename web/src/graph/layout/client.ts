// The page's side of the layout worker. A newer request makes older ones worthless: their
// answers are dropped.
import type { LayoutRequest } from './layout';
import type { Positions } from './types';

export class LayoutClient {
  private worker: Worker | null = null;
  private latest = 0;
  private waiting: { id: number; done: (positions: Positions) => void } | null = null;

  /** Calls back once, unless another request or `stop` comes first. */
  request(request: LayoutRequest, done: (positions: Positions) => void): void {
    this.worker ??= this.start();
    this.latest += 1;
    this.waiting = { id: this.latest, done };
    this.worker.postMessage({ id: this.latest, request });
  }

  stop(): void {
    this.worker?.terminate();
    this.worker = null;
    this.waiting = null;
  }

  private start(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    worker.onmessage = (event: MessageEvent<{ id: number; positions: Positions }>) => {
      const { waiting } = this;
      if (waiting?.id !== event.data.id) return;
      this.waiting = null;
      waiting.done(event.data.positions);
    };
    return worker;
  }
}
