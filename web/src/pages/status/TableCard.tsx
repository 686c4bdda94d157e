// What is stored of each table.
import type { TableStatus } from '../../api/types';
import { formatAge, formatMomentExact } from '../../domain/time';
import { absent, formatBytes, formatCount, formatDuration, formatExact } from '../../domain/units';
import classes from './status.module.css';

const names: Record<TableStatus['table'], string> = {
  l4_flows: 'Transport flows',
  l7_flows: 'Requests, summed up',
  l7_samples: 'Single requests',
  dns_flows: 'Name lookups',
};

export function TableCard({ tables, nowMs }: { tables: readonly TableStatus[]; nowMs: number }) {
  return (
    <div className={classes.card}>
      <table className={classes.table} aria-label="Stored tables">
        <thead>
          <tr>
            <th>Table</th>
            <th className={classes.number}>Rows</th>
            <th className={classes.number}>In the journal</th>
            <th className={classes.number}>On disk</th>
            <th className={classes.number}>Files</th>
            <th>Oldest</th>
            <th>Newest</th>
            <th>Kept for</th>
          </tr>
        </thead>
        <tbody>
          {tables.map((table) => (
            <tr key={table.table}>
              <td title={table.table}>{names[table.table]}</td>
              <td className={classes.number} title={formatExact(table.rows, 'count')}>
                {formatCount(table.rows)}
              </td>
              <td className={classes.number}>{formatCount(table.journal_rows)}</td>
              <td className={classes.number} title={formatExact(table.bytes, 'bytes')}>
                {formatBytes(table.bytes)}
              </td>
              <td className={classes.number}>{formatCount(table.files)}</td>
              <Moment ms={table.oldest_ms} nowMs={nowMs} />
              <Moment ms={table.newest_ms} nowMs={nowMs} />
              <td>{formatDuration(table.retention_s * 1000)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Moment({ ms, nowMs }: { ms?: number | null; nowMs: number }) {
  if (ms === null || ms === undefined) return <td className={classes.muted}>{absent}</td>;
  return <td title={formatMomentExact(ms)}>{formatAge(ms, nowMs)}</td>;
}
