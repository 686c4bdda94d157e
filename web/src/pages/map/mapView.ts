// The map's own part of the address bar: what colours it, what it is narrowed to, what is chosen.
import { useMemo } from 'react';
import { fillMetrics, isMetric } from '../../domain/metrics';
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
}

export const depthDefault = 1;
const fillDefault = 'rtt_us';

export interface MapControls extends ViewControls {
  settings: MapSettings;
}

export function useMapView(): MapControls {
  const controls = useView();
  const { search } = controls;
  const settings = useMemo((): MapSettings => {
    const fill = search.fill && isMetric(search.fill) ? search.fill : fillDefault;
    return {
      fill,
      customBounds: parseBounds(search.range),
      focus: search.focus ?? null,
      depth: search.depth ?? depthDefault,
      selected: search.selected ?? null,
      query: search.q ?? '',
      isRestHidden: search.rest === 'hide',
    };
  }, [search]);
  return { ...controls, settings };
}

/** Asked for every node and edge: what the map draws and what pointing at it shows. */
export function mapMetrics(fill: string): string[] {
  const always = [
    ...fillMetrics,
    'connect_refused',
    'connect_timeout',
    'connect_reset',
    'connect_failed_other',
  ];
  return [...new Set([...always, fill])];
}
