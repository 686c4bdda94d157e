// The small mark of an answer that does not hold everything, explaining itself.
import { Popover, UnstyledButton } from '@mantine/core';
import { IconAlertCircle } from '@tabler/icons-react';
import type { Incomplete } from '../api/types';
import { incompleteWord, isOnlySampled } from '../domain/incomplete';
import { formatCount, plural } from '../domain/units';
import classes from './IncompleteMark.module.css';

export function IncompleteMark({ incomplete }: { incomplete: readonly Incomplete[] | undefined }) {
  if (!incomplete || incomplete.length === 0) return null;
  const word = incompleteWord(incomplete);
  return (
    <Popover position="bottom-start" width={360}>
      <Popover.Target>
        <UnstyledButton className={classes.mark} aria-label={`Why this answer is ${word}`}>
          <IconAlertCircle size={14} stroke={1.8} aria-hidden />
          {word}
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        <div className={classes.title}>
          {isOnlySampled(incomplete)
            ? 'Counts are exact, details are estimated'
            : `${plural(incomplete.length, 'reason')} why something is missing`}
        </div>
        <ul className={classes.list}>
          {incomplete.map((item) => (
            <li key={`${item.component}${item.kind}${item.reason}`}>
              <span className={classes.kind}>{item.kind}</span>
              <span>{item.message}</span>
              <span className={classes.count}>{formatCount(item.count)}</span>
            </li>
          ))}
        </ul>
      </Popover.Dropdown>
    </Popover>
  );
}
