// Agents and when each was last heard.
import { IconCircleCheckFilled, IconCircleDashed } from '@tabler/icons-react';
import type { AgentStatus } from '../../api/types';
import { formatAge, formatMomentExact } from '../../domain/time';
import { absent, formatCount, formatDuration, formatExact } from '../../domain/units';
import { EntityLabel } from '../../parts/EntityLabel';
import { LossTable } from './LossTable';
import classes from './status.module.css';

/** A clock further off than this shifts flows into another window. */
const clockAheadNotedMs = 2_000;

export function AgentTable({ agents, nowMs }: { agents: readonly AgentStatus[]; nowMs: number }) {
  return (
    <div className={classes.card}>
      <table className={classes.table}>
        <thead>
          <tr>
            <th>Host</th>
            <th>State</th>
            <th>Last heard</th>
            <th>Last window</th>
            <th className={classes.number}>Rows</th>
            <th className={classes.number}>Clock</th>
            <th>Version</th>
            <th>Agent</th>
          </tr>
        </thead>
        <tbody>
          {agents.map((agent) => (
            <AgentRows key={agent.agent} agent={agent} nowMs={nowMs} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function AgentRows({ agent, nowMs }: { agent: AgentStatus; nowMs: number }) {
  const { host } = agent;
  const lastWindow = agent.last_window_ms ?? null;
  return (
    <>
      <tr>
        <td>
          {host ? (
            <EntityLabel entity={{ kind: 'host', id: host, name: host }} link={false} />
          ) : (
            absent
          )}
        </td>
        <td>
          <span className={agent.is_stale ? classes.silent : classes.sending}>
            {agent.is_stale ? (
              <IconCircleDashed size={14} aria-hidden />
            ) : (
              <IconCircleCheckFilled size={14} aria-hidden />
            )}
            {agent.is_stale ? 'silent' : 'sending'}
          </span>
        </td>
        <td title={formatMomentExact(agent.last_seen_ms)}>
          {formatAge(agent.last_seen_ms, nowMs)}
        </td>
        <td title={lastWindow === null ? undefined : formatMomentExact(lastWindow)}>
          {lastWindow === null ? absent : formatAge(lastWindow, nowMs)}
        </td>
        <td className={classes.number} title={formatExact(agent.rows, 'count')}>
          {formatCount(agent.rows)}
        </td>
        <td className={classes.number}>
          <Clock aheadMs={agent.clock_ahead_ms ?? null} />
        </td>
        <td>{agent.version ?? absent}</td>
        <td className={classes.muted}>{agent.agent}</td>
      </tr>
      {agent.losses.length > 0 && (
        <tr className={classes.nested}>
          <td colSpan={8}>
            <LossTable losses={agent.losses} bare />
          </td>
        </tr>
      )}
    </>
  );
}

function Clock({ aheadMs }: { aheadMs: number | null }) {
  if (aheadMs === null) return <>{absent}</>;
  if (Math.abs(aheadMs) < clockAheadNotedMs) return <span className={classes.muted}>in step</span>;
  return (
    <span className={classes.silent} title="Flows may be shown at a wrong time">
      {formatDuration(Math.abs(aheadMs))} {aheadMs > 0 ? 'ahead' : 'behind'}
    </span>
  );
}
