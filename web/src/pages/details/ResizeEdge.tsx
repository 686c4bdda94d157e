// The drawer's left edge: drag it, or move it with the arrow keys. The width is kept.
import { useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { readSetting, writeSetting } from '../../base/storage';
import classes from './details.module.css';

const widthMin = 380;
const widthAtFirst = 640;
const keyStep = 32;

export interface DrawerWidth {
  px: number;
  set: (px: number) => void;
}

const isNumber = (value: unknown): value is number => typeof value === 'number';

export function useDrawerWidth(): DrawerWidth {
  const [px, setPx] = useState(() => readSetting('drawer.width', isNumber) ?? widthAtFirst);
  const set = (wanted: number) => {
    const next = Math.round(Math.max(widthMin, Math.min(window.innerWidth - 80, wanted)));
    writeSetting('drawer.width', next);
    setPx(next);
  };
  return { px, set };
}

export function ResizeEdge({ width }: { width: DrawerWidth }) {
  const start = useRef<{ x: number; px: number } | null>(null);
  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    start.current = { x: event.clientX, px: width.px };
  };
  const onPointerMove = (event: PointerEvent) => {
    if (start.current) width.set(start.current.px + start.current.x - event.clientX);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: keyStep, ArrowRight: -keyStep }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    width.set(width.px + step);
  };
  return (
    <div
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the details"
      aria-valuenow={width.px}
      tabIndex={0}
      className={classes.edge}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={() => {
        start.current = null;
      }}
      onKeyDown={onKeyDown}
    />
  );
}
