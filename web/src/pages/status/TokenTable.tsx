// The tokens with which agents send: whose they are, until when, and who uses them.
import type { AgentTokenStatus } from '../../api/types';
import { formatAge, formatMomentExact } from '../../domain/time';
import { absent, formatDuration, formatExact } from '../../domain/units';
import classes from './status.module.css';

/** A token that ends this soon is marked. */
const endsSoonMs = 7 * 86_400_000;

export function TokenTable({
  tokens,
  nowMs,
}: {
  tokens: readonly AgentTokenStatus[];
  nowMs: number;
}) {
  return (
    <div className={classes.card}>
      <table className={classes.table} aria-label="Tokens">
        <thead>
          <tr>
            <th>Token</th>
            <th>Cluster</th>
            <th>Standing</th>
            <th>Created</th>
            <th>Last used</th>
            <th className={classes.number}>Agents</th>
            <th>Note</th>
          </tr>
        </thead>
        <tbody>
          {tokens.map((token) => (
            <tr key={token.id}>
              <td>{token.id}</td>
              <td>{token.cluster ?? absent}</td>
              <td>
                <Standing token={token} nowMs={nowMs} />
              </td>
              <Moment ms={token.created_ms} nowMs={nowMs} />
              <Moment ms={token.last_used_ms} nowMs={nowMs} />
              <td className={classes.number}>{formatExact(token.agents, 'none')}</td>
              <td className={classes.message}>{token.note ?? ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Moment({ ms, nowMs }: { ms?: number | null; nowMs: number }) {
  if (ms === null || ms === undefined) return <td>{absent}</td>;
  return <td title={formatMomentExact(ms)}>{formatAge(ms, nowMs)}</td>;
}

function Standing({ token, nowMs }: { token: AgentTokenStatus; nowMs: number }) {
  const { standing } = token;
  const expiresMs = token.expires_ms ?? null;
  if (standing !== 'good') {
    const endMs = token.revoked_ms ?? expiresMs;
    const ago = endMs === null ? '' : ` ${formatAge(endMs, nowMs)}`;
    return (
      <span className={classes.kind} data-kind={standing === 'expired' ? 'stale' : undefined}>
        {standing}
        {ago}
      </span>
    );
  }
  if (expiresMs === null) return <>good</>;
  const left = `good for ${formatDuration(expiresMs - nowMs)}`;
  const isSoon = expiresMs - nowMs < endsSoonMs;
  return (
    <span className={isSoon ? classes.silent : undefined} title={formatMomentExact(expiresMs)}>
      {left}
    </span>
  );
}
