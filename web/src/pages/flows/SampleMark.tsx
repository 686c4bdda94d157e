// Says that the rows are a sample: not every request is kept by itself, though every one is counted.
import { Tooltip } from '@mantine/core';
import { IconChartDots } from '@tabler/icons-react';
import type { FlowRow } from '../../api/types';
import { requestsBehind } from '../../domain/flow';
import { formatCount } from '../../domain/units';
import classes from './flows.module.css';

export function SampleMark({ rows }: { rows: readonly FlowRow[] }) {
  const requests = requestsBehind(rows);
  if (requests <= rows.length) return null;
  return (
    <Tooltip
      multiline
      w={300}
      label="Under load only some requests are kept one by one; each row says in “weight” how many it stands for. Counts, rates and response times of the other pages are of all requests."
    >
      <span className={classes.sample} tabIndex={0}>
        <IconChartDots size={14} stroke={1.8} aria-hidden />
        sample of {formatCount(requests)} requests
      </span>
    </Tooltip>
  );
}
