// Left of the map: which metric colours it, in which intervals, and what sizes and marks mean.
import { Select, Switch } from '@mantine/core';
import { useMemo } from 'react';
import { layerSchemas, type Layer } from '../../domain/layer';
import { fillMetrics, formatMetric, isMetric, metric } from '../../domain/metrics';
import {
  automaticBounds,
  boundsText,
  moveBound,
  stepOf,
  type Bounds,
  type Step,
} from '../../graph/intervals';
import { BoundInput } from './BoundInput';
import { IntervalEditor } from './IntervalEditor';
import { StepMark } from './StepMark';
import classes from './FillPanel.module.css';

export interface FillPanelProps {
  layer: Layer;
  fill: string;
  values: readonly (number | null)[];
  bounds: Bounds | null;
  isCustom: boolean;
  onFill: (fill: string) => void;
  onBounds: (range: string | undefined) => void;
}

function choicesOf(layer: Layer) {
  const common = fillMetrics[layer];
  const more = layerSchemas[layer].metrics.map(({ name }) => name);
  return [
    { group: 'Common', items: common.map(choice) },
    { group: 'More', items: more.filter((name) => !common.includes(name)).map(choice) },
  ];
}

function choice(name: string) {
  return { value: name, label: metric(name).label };
}

export function FillPanel(props: FillPanelProps) {
  const { layer, fill, bounds, isCustom, values, onFill, onBounds } = props;
  const choices = useMemo(() => choicesOf(layer), [layer]);
  const change = (next: Bounds) => onBounds(boundsText(next));
  const toggle = (on: boolean) => {
    const start = bounds ?? automaticBounds(values) ?? [0, 1, 2, 3, 4, 5];
    onBounds(on ? boundsText(start as Bounds) : undefined);
  };
  return (
    <section className={classes.panel} aria-label="Fill">
      <Select
        label="Fill"
        description={metric(fill).doc}
        inputWrapperOrder={['label', 'input', 'description']}
        size="xs"
        styles={{ description: { fontSize: 11.5, marginTop: 4 } }}
        searchable
        allowDeselect={false}
        maxDropdownHeight={360}
        value={fill}
        data={choices}
        onChange={(value) => value && isMetric(value) && onFill(value)}
      />
      {bounds ? (
        <>
          <IntervalEditor name={fill} values={values} bounds={bounds} onChange={change} />
          <Intervals {...props} bounds={bounds} onChange={change} />
        </>
      ) : (
        <p className={classes.note}>No node or path has a value for this metric here.</p>
      )}
      <Switch
        size="xs"
        label="Custom intervals"
        checked={isCustom}
        onChange={(event) => toggle(event.currentTarget.checked)}
      />
    </section>
  );
}

interface IntervalsProps extends FillPanelProps {
  bounds: Bounds;
  onChange: (bounds: Bounds) => void;
}

function Intervals({ fill, values, bounds, isCustom, onChange }: IntervalsProps) {
  const counts = useMemo(() => countSteps(values, bounds), [values, bounds]);
  const text = (index: number) => formatMetric(fill, bounds[index] ?? 0);
  const edit = (index: number) => (
    <BoundInput
      name={fill}
      value={bounds[index] ?? 0}
      label={index === 5 ? 'Highest value' : `Interval ${index + 1} from`}
      onChange={(value) => onChange(moveBound(bounds, index, value))}
    />
  );
  return (
    <ol className={classes.intervals} aria-label="Intervals">
      {([4, 3, 2, 1, 0] as const).map((step) => (
        <li key={step}>
          <StepMark step={step} />
          {isCustom ? (
            <span className={classes.edit}>
              {edit(step)}
              <span className={classes.to}>to</span>
              {step === 4 ? edit(5) : <span className={classes.upper}>{text(step + 1)}</span>}
            </span>
          ) : (
            <span>
              {text(step)} – {text(step + 1)}
            </span>
          )}
          <span className={classes.count}>{counts.get(step) ?? 0}</span>
        </li>
      ))}
      <li>
        <StepMark step={null} />
        <span className={classes.muted}>outside, or no value</span>
        <span className={classes.count}>{counts.get(null) ?? 0}</span>
      </li>
    </ol>
  );
}

function countSteps(values: readonly (number | null)[], bounds: Bounds): Map<Step, number> {
  const counts = new Map<Step, number>();
  for (const value of values) {
    const step = stepOf(value, bounds);
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  return counts;
}
