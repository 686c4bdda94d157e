// The worker's side: one request in, one answer out, by number.
import { layOut, type LayoutRequest } from './layout';

self.onmessage = (event: MessageEvent<{ id: number; request: LayoutRequest }>) => {
  const { id, request } = event.data;
  self.postMessage({ id, positions: layOut(request) });
};
