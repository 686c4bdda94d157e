// The map's own part of the address bar: what colours it, what it is narrowed to, what is chosen.
import { useMemo } from 'react';
import type { Layer } from '../../domain/layer';
import { connectFailures, fillMetrics, isLayerMetric } from '../../domain/metrics';
import type { MapGroup } from '../../domain/search';
import { parseBounds, type Bounds } from '../../graph/intervals';
import { useView, type ViewControls } from '../../state/view';

export interface MapSettings {
  fill: string;
  /** Bounds set by hand, or null for automatic ones. */
  customBounds: Bounds | null;
  focus: string | null;
  depth: number;
  selected: string | null;
  query: string;
  isRestHidden: boolean;
  group: MapGroup | 'auto';
}

export const depthDefault = 1;

export interface MapControls extends ViewControls {
  settings: MapSettings;
}

export function useMapView(): MapControls {
  const controls = useView();
  const { search } = controls;
  const { layer } = controls.view;
  const settings = useMemo((): MapSettings => {
    const isKnown = search.fill !== undefined && isLayerMetric(layer, search.fill);
    const fill = isKnown ? search.fill : fillMetrics[layer][0];
    return {
      fill: fill ?? '',
      customBounds: parseBounds(search.range),
      focus: search.focus ?? null,
      depth: search.depth ?? depthDefault,
      selected: search.selected ?? null,
      query: search.q ?? '',
      isRestHidden: search.rest === 'hide',
      group: search.group ?? 'auto',
    };
  }, [search, layer]);
  return { ...controls, settings };
}

/** What pointing at a node or a path shows besides the metrics that it can be filled by. */
const alsoShown: Record<Layer, readonly string[]> = {
  l4: connectFailures,
  l7: ['requests', 'errors', 'response_us_p95', 'status_4xx', 'status_5xx', 'unanswered'],
  dns: ['dns_us_p95'],
};

/** Asked for every node and edge: what the map draws and what pointing at it shows. */
export function mapMetrics(layer: Layer, fill: string): string[] {
  return [...new Set([...fillMetrics[layer], ...alsoShown[layer], fill])];
}

/** In the order in which the card beside the pointer has them. */
const cardMetrics: Record<Layer, readonly string[]> = {
  l4: [
    'bytes_sent',
    'bytes_received',
    ...fillMetrics.l4.filter((name) => !name.startsWith('bytes_')),
  ],
  l7: ['requests', 'requests_per_s', 'errors', 'error_rate', 'response_us', 'response_us_p95'],
  dns: ['dns_queries', 'dns_failures', 'dns_timeouts', 'dns_us', 'dns_us_p95'],
};

/** What went wrong: shown where it did. */
const cardFailures: Record<Layer, readonly string[]> = {
  l4: connectFailures,
  l7: ['status_4xx', 'status_5xx', 'unanswered'],
  dns: [],
};

/** Quantiles do not add up: a node with several paths has none. */
const isQuantile = (name: string) => /_p\d\d$/.test(name);

/** Metrics of the card for these values. */
export function cardNames(
  layer: Layer,
  metrics: Readonly<Record<string, number | null | undefined>>,
  fill: string,
): string[] {
  const failed = cardFailures[layer].filter((name) => (metrics[name] ?? 0) > 0);
  const known = cardMetrics[layer].filter((name) => !isQuantile(name) || metrics[name] != null);
  return [...new Set([...known, ...failed, fill])];
}
