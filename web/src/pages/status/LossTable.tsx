// What is missing from the numbers, where it went missing and why.
import type { Incomplete } from '../../api/types';
import { formatCount, formatExact } from '../../domain/units';
import classes from './status.module.css';

export function LossTable({
  losses,
  bare = false,
}: {
  losses: readonly Incomplete[];
  bare?: boolean;
}) {
  return (
    <div className={bare ? undefined : classes.card}>
      <table className={classes.table}>
        {!bare && (
          <thead>
            <tr>
              <th>Kind</th>
              <th>Where</th>
              <th>Reason</th>
              <th className={classes.number}>Count</th>
              <th>What it means</th>
            </tr>
          </thead>
        )}
        <tbody>
          {losses.map((loss) => (
            <tr key={`${loss.kind}${loss.component}${loss.reason}`}>
              <td>
                <span className={classes.kind} data-kind={loss.kind}>
                  {loss.kind}
                </span>
              </td>
              <td>{loss.component}</td>
              <td>{loss.reason.replaceAll('_', ' ')}</td>
              <td className={classes.number} title={formatExact(loss.count, 'count')}>
                {formatCount(loss.count)}
              </td>
              <td className={classes.message}>{loss.message}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
