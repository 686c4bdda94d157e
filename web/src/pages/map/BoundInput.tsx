// One bound of an interval as text: taken over on Enter or when left, put back when it is no
// quantity.
import { TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { formatMetric, metric } from '../../domain/metrics';
import { parseQuantity } from './quantity';
import classes from './FillPanel.module.css';

export interface BoundInputProps {
  name: string;
  value: number;
  label: string;
  onChange: (value: number) => void;
}

export function BoundInput({ name, value, label, onChange }: BoundInputProps) {
  const shown = formatMetric(name, value);
  const [text, setText] = useState(shown);
  const parsed = parseQuantity(text, metric(name).unit);
  useEffect(() => setText(shown), [shown]);
  const commit = () => {
    if (text === shown) return;
    if (parsed === null) setText(shown);
    else onChange(parsed);
  };
  return (
    <TextInput
      className={classes.bound}
      size="xs"
      aria-label={label}
      value={text}
      error={parsed === null}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={commit}
      onKeyDown={(event) => {
        if (event.key === 'Enter') commit();
        if (event.key === 'Escape') setText(shown);
      }}
    />
  );
}
