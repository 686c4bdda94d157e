// The designed states of a page: nothing there, something failed, still loading, too much.
import { Button, Skeleton } from '@mantine/core';
import { IconAlertTriangle, IconRefresh, type Icon } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Problem } from '../api/client';
import classes from './States.module.css';

export interface EmptyProps {
  icon: Icon;
  title: string;
  children: ReactNode;
  action?: ReactNode;
}

/** Says why there is nothing, and the one next step. */
export function Empty({ icon: Glyph, title, children, action }: EmptyProps) {
  return (
    <div className={classes.state} role="status">
      <span className={classes.mark}>
        <Glyph size={22} stroke={1.5} aria-hidden />
      </span>
      <h2 className={classes.title}>{title}</h2>
      <p className={classes.text}>{children}</p>
      {action}
    </div>
  );
}

export interface FailureProps {
  error: Error;
  /** What could not be shown: "The pairs". */
  what: string;
  onRetry: () => void;
  compact?: boolean;
}

/** What failed, in the server's own words, and a way to try again. */
export function Failure({ error, what, onRetry, compact = false }: FailureProps) {
  const problem = error instanceof Problem ? error : null;
  const isFilter = problem?.parameter === 'filter';
  // The search box says it all; one more place beside the list is enough.
  if (isFilter && compact) return null;
  const title = isFilter ? 'The filter cannot be read' : `${what} could not be loaded`;
  const prefix = problem && !isFilter ? `${problem.title}: ` : '';
  return (
    <div className={compact ? classes.failureCompact : classes.state} role="alert">
      <span className={classes.markError}>
        <IconAlertTriangle size={compact ? 16 : 22} stroke={1.6} aria-hidden />
      </span>
      <div className={classes.failureBody}>
        <h2 className={classes.title}>{title}</h2>
        <p className={classes.text}>
          {prefix}
          {error.message}
        </p>
        {problem?.expected && !error.message.includes(problem.expected) && (
          <p className={classes.text}>Expected: {problem.expected}</p>
        )}
      </div>
      <Button variant="default" leftSection={<IconRefresh size={14} />} onClick={onRetry}>
        Try again
      </Button>
    </div>
  );
}

/** Rows of grey where a table will be. */
export function TableSkeleton({ rows = 12 }: { rows?: number }) {
  return (
    <div className={classes.skeleton} aria-busy="true" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className={classes.skeletonRow}>
          <Skeleton height={10} width={`${18 + ((row * 7) % 11)}%`} />
          <Skeleton height={10} width={`${14 + ((row * 5) % 9)}%`} />
          <Skeleton height={10} width="7%" ml="auto" />
          <Skeleton height={10} width="7%" />
          <Skeleton height={10} width="5%" />
          <Skeleton height={10} width="5%" />
        </div>
      ))}
    </div>
  );
}
