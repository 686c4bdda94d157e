// One watched cluster: how much of each kind is known, and what the server may not see.
import { IconAlertTriangle } from '@tabler/icons-react';
import { Fragment } from 'react';
import type { ClusterStatus } from '../../api/types';
import { formatAge, formatMoment, formatMomentExact } from '../../domain/time';
import { formatCount, formatExact } from '../../domain/units';
import classes from './status.module.css';

type Kind = ClusterStatus['kinds'][number];

export function ClusterCard({ cluster, nowMs }: { cluster: ClusterStatus; nowMs: number }) {
  return (
    <div className={classes.card}>
      <table className={classes.table} aria-label={`Cluster ${cluster.name}`}>
        <thead>
          <tr>
            <th>{cluster.name}</th>
            <th className={classes.number}>Objects</th>
            <th className={classes.number}>Gone, still known</th>
            <th className={classes.number}>No room</th>
            <th className={classes.number}>Changes</th>
            <th>Listed</th>
          </tr>
        </thead>
        <tbody>
          {cluster.kinds.map((kind) => (
            <Fragment key={kind.resource}>
              <KindRow kind={kind} nowMs={nowMs} />
              {(kind.problem ?? null) !== null && <ProblemRow kind={kind} />}
            </Fragment>
          ))}
          {cluster.kinds.length === 0 && (
            <tr>
              <td colSpan={6} className={classes.muted}>
                It has not been asked yet.
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}

function KindRow({ kind, nowMs }: { kind: Kind; nowMs: number }) {
  const listedMs = kind.listed_ms ?? null;
  return (
    <tr>
      <td>{kind.resource}</td>
      <Count value={kind.objects} />
      <Count value={kind.gone} />
      <Count value={kind.refused} bad />
      <Count value={kind.changes} />
      {listedMs === null ? (
        <td className={classes.warning}>not yet</td>
      ) : (
        <td title={formatMomentExact(listedMs)}>{formatAge(listedMs, nowMs)}</td>
      )}
    </tr>
  );
}

function Count({ value, bad = false }: { value: number; bad?: boolean }) {
  const tone = value === 0 ? classes.muted : bad ? classes.warning : '';
  return (
    <td className={`${classes.number} ${tone}`} title={formatExact(value, 'count')}>
      {formatCount(value)}
    </td>
  );
}

/** What is wrong, in the server's words: it names the rule that is missing. */
function ProblemRow({ kind }: { kind: Kind }) {
  const sinceMs = kind.problem_since_ms ?? null;
  return (
    <tr className={classes.problem} role="alert">
      <td colSpan={6}>
        <div>
          <IconAlertTriangle size={14} stroke={1.7} aria-hidden />
          <span>
            {kind.problem}
            {sinceMs !== null && (
              <span className={classes.muted}> · since {formatMoment(sinceMs)}</span>
            )}
          </span>
        </div>
      </td>
    </tr>
  );
}
