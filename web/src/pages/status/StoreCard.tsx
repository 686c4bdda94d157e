// What the store holds and for how long.
import type { StoreStatus } from '../../api/types';
import { formatAge, formatMomentExact } from '../../domain/time';
import { formatBytes, formatCount, formatDuration, formatExact } from '../../domain/units';
import classes from './status.module.css';

interface Fact {
  name: string;
  value: string;
  exact: string;
  note?: string;
  bad?: boolean;
}

function facts(store: StoreStatus, nowMs: number): Fact[] {
  const oldest = store.oldest_ms ?? null;
  const rowBytes = store.rows > 0 ? store.bytes / store.rows : null;
  const list: Fact[] = [
    {
      name: 'On disk',
      value: formatBytes(store.bytes),
      exact: formatExact(store.bytes, 'bytes'),
      note: rowBytes === null ? undefined : `${formatBytes(rowBytes)} a row`,
    },
    {
      name: 'Flow rows',
      value: formatCount(store.rows),
      exact: formatExact(store.rows, 'count'),
      note: `${formatCount(store.journal_rows)} in the journal`,
    },
    {
      name: 'Files',
      value: formatCount(store.files),
      exact: `${store.kind} files`,
      note: store.kind,
    },
    {
      name: 'Oldest',
      value: oldest === null ? '–' : formatAge(oldest, nowMs),
      exact: oldest === null ? 'nothing stored' : formatMomentExact(oldest),
    },
    {
      name: 'Kept for',
      value: formatDuration(store.retention_s * 1000),
      exact: `retention ${store.retention_s} s`,
    },
  ];
  if (store.corrupt_files > 0) {
    list.push({
      name: 'Set aside',
      value: formatCount(store.corrupt_files),
      exact: 'files that could not be read',
      note: 'unreadable files',
      bad: true,
    });
  }
  return list;
}

export function StoreCard({ store, nowMs }: { store: StoreStatus; nowMs: number }) {
  return (
    <dl className={classes.tiles} aria-label="Store">
      {facts(store, nowMs).map((fact) => (
        <div
          key={fact.name}
          className={classes.tile}
          title={fact.exact}
          data-bad={fact.bad || undefined}
        >
          <dt>{fact.name}</dt>
          <dd>{fact.value}</dd>
          <small>{fact.note}</small>
        </div>
      ))}
    </dl>
  );
}
