// The drawn map inside React: hands scenes and highlights to the view, and its events back.
import { useComputedColorScheme } from '@mantine/core';
import {
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  type KeyboardEvent,
  type Ref,
} from 'react';
import type { Pointed } from '../../graph/emphasis';
import type { Point } from '../../graph/layout/types';
import { readTheme } from '../../graph/render/theme';
import { MapView, type Highlight, type MapViewEvents } from '../../graph/render/view';
import type { Scene } from '../../graph/scene';
import classes from './Map.module.css';

export interface MapCanvasProps {
  ref: Ref<MapView | null>;
  scene: Scene | null;
  /** The camera shows everything when this changes. */
  fitKey: string;
  highlight: Highlight;
  label: string;
  onPoint: (pointed: Pointed, at: Point) => void;
  onClick: (pointed: Pointed, at: Point) => void;
  onFocus: (key: string) => void;
  onDragEnd: (key: string, place: Point) => void;
  onFrame: () => void;
  onKey: (event: KeyboardEvent) => void;
}

export function MapCanvas(props: MapCanvasProps) {
  const { scene, fitKey, highlight, label, onKey } = props;
  const container = useRef<HTMLDivElement>(null);
  const view = useRef<MapView | null>(null);
  const latest = useRef(props);
  const fitted = useRef('');
  const scheme = useComputedColorScheme('light');

  useEffect(() => {
    latest.current = props;
  });

  useLayoutEffect(() => {
    const element = container.current;
    if (!element) return;
    const events: MapViewEvents = {
      point: (pointed, at) => latest.current.onPoint(pointed, at),
      click: (pointed, at) => latest.current.onClick(pointed, at),
      doubleClick: (key) => latest.current.onFocus(key),
      dragEnd: (key, place) => latest.current.onDragEnd(key, place),
      frame: () => latest.current.onFrame(),
    };
    const started = new MapView(
      element,
      readTheme('light', element),
      latest.current.highlight,
      events,
    );
    view.current = started;
    return () => {
      started.stop();
      view.current = null;
      fitted.current = '';
    };
  }, []);

  useImperativeHandle<MapView | null, MapView | null>(props.ref, () => view.current, []);

  useEffect(() => {
    if (container.current) view.current?.setTheme(readTheme(scheme, container.current));
  }, [scheme]);

  useEffect(() => view.current?.setHighlight(highlight), [highlight]);

  useEffect(() => {
    if (!scene || !view.current) return;
    view.current.show(scene);
    if (fitted.current === fitKey) return;
    view.current.fit(fitted.current !== '');
    fitted.current = fitKey;
  }, [scene, fitKey]);

  return (
    <div
      ref={container}
      className={classes.canvas}
      role="application"
      aria-roledescription="map"
      aria-label={label}
      tabIndex={0}
      onKeyDown={onKey}
      data-ready={scene ? true : undefined}
      data-nodes={scene?.nodes.length}
      data-lines={scene?.lines.length}
      data-groups={scene?.groups.length}
    />
  );
}
