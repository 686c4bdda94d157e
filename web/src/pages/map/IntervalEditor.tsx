// How the values of the fill metric are spread, and the bounds of the five intervals over it,
// which can be dragged or moved with the arrow keys.
import { useComputedColorScheme } from '@mantine/core';
import { useMemo, useRef, type KeyboardEvent, type PointerEvent } from 'react';
import { fillPalette, outOfRangeColor } from '../../base/palette';
import { formatMetric, metric } from '../../domain/metrics';
import {
  histogram,
  moveBound,
  roundTo,
  stepOf,
  valueAxis,
  type Axis,
  type Bounds,
} from '../../graph/intervals';
import classes from './FillPanel.module.css';

const width = 232;
const height = 60;
const binCount = 29;
/** How far one press of an arrow key moves a bound, as a share of the axis. */
const keyStep = 0.02;

export interface IntervalEditorProps {
  name: string;
  values: readonly (number | null)[];
  bounds: Bounds;
  onChange: (bounds: Bounds) => void;
}

export function IntervalEditor({ name, values, bounds, onChange }: IntervalEditorProps) {
  const area = useRef<SVGSVGElement>(null);
  const axis = useMemo(() => valueAxis(values, bounds), [values, bounds]);
  const frozen = useRef<Axis | null>(null);

  const move = (index: number, position: number) => {
    const used = frozen.current ?? axis;
    onChange(moveBound(bounds, index, Math.max(0, roundTo(used.value(position), 3))));
  };
  const drag = (index: number) => (event: PointerEvent<SVGGElement>) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const box = area.current?.getBoundingClientRect();
    if (box) move(index, (event.clientX - box.left) / box.width);
  };
  const press = (index: number) => (event: KeyboardEvent) => {
    const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    move(index, axis.position(bounds[index] ?? 0) + way * keyStep * (event.shiftKey ? 5 : 1));
  };

  return (
    <svg
      ref={area}
      className={classes.histogram}
      viewBox={`0 0 ${width} ${height}`}
      role="group"
      aria-label={`Values of ${metric(name).label} and the bounds of the intervals`}
    >
      <Bars values={values} axis={axis} bounds={bounds} />
      <line x1={0} x2={width} y1={height - 9.5} y2={height - 9.5} className={classes.axis} />
      {bounds.map((bound, index) => (
        <g
          key={index}
          className={classes.handle}
          transform={`translate(${4 + axis.position(bound) * (width - 8)} 0)`}
          role="slider"
          tabIndex={0}
          aria-label={handleLabels[index]}
          aria-valuenow={bound}
          aria-valuetext={formatMetric(name, bound)}
          onPointerDown={(event) => {
            frozen.current = axis;
            event.currentTarget.setPointerCapture(event.pointerId);
          }}
          onPointerMove={drag(index)}
          onPointerUp={() => (frozen.current = null)}
          onKeyDown={press(index)}
        >
          <rect x={-6} y={0} width={12} height={height} fill="transparent" />
          <line y1={2} y2={height - 9} />
          <circle cy={height - 9} r={3.6} />
        </g>
      ))}
    </svg>
  );
}

interface BarsProps {
  values: readonly (number | null)[];
  axis: Axis;
  bounds: Bounds;
}

function Bars({ values, axis, bounds }: BarsProps) {
  const scheme = useComputedColorScheme('light');
  const bins = useMemo(() => histogram(values, axis, binCount), [values, axis]);
  const most = Math.log1p(Math.max(1, ...bins.map((bin) => bin.count)));
  const colors = fillPalette(scheme);
  return bins.map((bin, i) => {
    const step = stepOf((bin.low + bin.high) / 2, bounds);
    const tall = bin.count === 0 ? 0 : 4 + ((height - 18) * Math.log1p(bin.count)) / most;
    return (
      <rect
        key={i}
        x={(i * width) / binCount + 0.75}
        y={height - 10 - tall}
        width={width / binCount - 1.5}
        height={tall}
        rx={1.5}
        fill={step === null ? outOfRangeColor(scheme) : colors[step]}
      />
    );
  });
}

const handleLabels = [
  'Lowest value coloured',
  'Between the first and second interval',
  'Between the second and third interval',
  'Between the third and fourth interval',
  'Between the fourth and fifth interval',
  'Highest value coloured',
];
