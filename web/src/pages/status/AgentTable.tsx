// One page of agents: rows on a wide screen, cards on a narrow one.
import {
  IconAlertTriangleFilled,
  IconArrowDown,
  IconArrowUp,
  IconChevronDown,
  IconChevronRight,
  IconCircleCheckFilled,
  IconCircleDashed,
} from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import type { AgentStatus } from '../../api/types';
import { clockText, lostCount, type AgentSort, type Trouble } from '../../domain/agents';
import { providerName } from '../../domain/provider';
import { formatAge, formatMomentExact } from '../../domain/time';
import { absent, formatCount, formatExact } from '../../domain/units';
import { EntityLabel } from '../../parts/EntityLabel';
import type { ListedAgent } from './AgentList';
import { LossTable } from './LossTable';
import classes from './status.module.css';

interface AgentColumn {
  sort: AgentSort;
  label: string;
  numeric?: boolean;
  /** Ordered largest first when first chosen. */
  descends?: boolean;
}

export const agentColumns: readonly AgentColumn[] = [
  { sort: 'host', label: 'Host' },
  { sort: 'cluster', label: 'Cluster' },
  { sort: 'zone', label: 'Zone' },
  { sort: 'version', label: 'Version' },
  { sort: 'last_seen', label: 'Last heard', descends: true },
  { sort: 'clock', label: 'Clock', descends: true },
  { sort: 'rows', label: 'Rows', numeric: true, descends: true },
  { sort: 'lost', label: 'Lost', numeric: true, descends: true },
  { sort: 'token', label: 'Token' },
];

export interface AgentTableProps {
  rows: readonly ListedAgent[];
  nowMs: number;
  sort: string;
  onSort: (sort: string) => void;
}

export function AgentTable({ rows, nowMs, sort, onSort }: AgentTableProps) {
  return (
    <div className={classes.card}>
      <table className={`${classes.table} ${classes.agents}`} aria-label="Agents">
        <thead>
          <tr>
            {agentColumns.map((column) => (
              <Head key={column.sort} column={column} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <AgentRows key={row.agent.agent} row={row} nowMs={nowMs} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Head({
  column,
  sort,
  onSort,
}: {
  column: AgentColumn;
  sort: string;
  onSort: (sort: string) => void;
}) {
  const descending = sort === `-${column.sort}`;
  const sorted = descending || sort === column.sort;
  const first = column.descends ? `-${column.sort}` : column.sort;
  const other = column.descends ? column.sort : `-${column.sort}`;
  return (
    <th
      className={column.numeric ? classes.number : undefined}
      aria-sort={sorted ? (descending ? 'descending' : 'ascending') : undefined}
    >
      <button
        type="button"
        className={classes.sort}
        onClick={() => onSort(sort === first ? other : first)}
      >
        {column.label}
        {sorted && (descending ? <IconArrowDown size={12} /> : <IconArrowUp size={12} />)}
      </button>
    </th>
  );
}

function AgentRows({ row: { agent, troubles }, nowMs }: { row: ListedAgent; nowMs: number }) {
  const [isOpen, setOpen] = useState(false);
  const lost = lostCount(agent);
  const hasLosses = agent.losses.length > 0;
  return (
    <>
      <tr data-agent={agent.agent}>
        <td className={classes.whoCell}>
          <div className={classes.who}>
            <Host agent={agent} />
            <State troubles={troubles} />
          </div>
        </td>
        <Cell label="Cluster">{agent.cluster ?? absent}</Cell>
        <Cell label="Zone" title={placeTitle(agent)}>
          {agent.zone ?? agent.region ?? absent}
        </Cell>
        <Cell label="Version">
          <Version agent={agent} />
        </Cell>
        <Cell label="Last heard" title={formatMomentExact(agent.last_seen_ms)}>
          {formatAge(agent.last_seen_ms, nowMs)}
        </Cell>
        <Cell label="Clock">
          <Clock agent={agent} />
        </Cell>
        <Cell label="Rows" number title={formatExact(agent.rows, 'count')}>
          {formatCount(agent.rows)}
        </Cell>
        <Cell label="Lost" number title={formatExact(lost, 'count')}>
          {hasLosses ? (
            <button
              type="button"
              className={classes.sort}
              aria-expanded={isOpen}
              aria-label={`What is missing of ${agent.host ?? agent.agent}`}
              onClick={() => setOpen(!isOpen)}
            >
              {isOpen ? <IconChevronDown size={12} /> : <IconChevronRight size={12} />}
              {formatCount(lost)}
            </button>
          ) : (
            <span className={classes.muted}>0</span>
          )}
        </Cell>
        <Cell label="Token">
          <span className={classes.muted}>{agent.token ?? absent}</span>
        </Cell>
      </tr>
      {isOpen && (
        <tr className={classes.nested}>
          <td colSpan={agentColumns.length}>
            <LossTable losses={agent.losses} bare />
          </td>
        </tr>
      )}
    </>
  );
}

interface CellProps {
  label: string;
  number?: boolean;
  title?: string | undefined;
  children: ReactNode;
}

/** A cell that says its column where there is no head above it. */
function Cell({ label, number, title, children }: CellProps) {
  return (
    <td className={number ? classes.number : undefined} data-label={label} title={title}>
      {children}
    </td>
  );
}

function Host({ agent }: { agent: AgentStatus }) {
  const name = agent.host ?? agent.agent;
  return (
    <span title={`Agent ${agent.agent}`}>
      <EntityLabel
        entity={{ kind: 'host', id: name, name }}
        provider={agent.provider}
        link={false}
        strong
      />
    </span>
  );
}

/** What is wrong, the worst in a word and all of it on hover. */
function State({ troubles }: { troubles: readonly Trouble[] }) {
  const [worst, ...others] = troubles;
  if (!worst) {
    return (
      <span className={classes.sending}>
        <IconCircleCheckFilled size={13} aria-hidden /> sending
      </span>
    );
  }
  const Glyph = worst.kind === 'silent' ? IconCircleDashed : IconAlertTriangleFilled;
  return (
    <span className={classes.silent} title={troubles.map(({ text }) => text).join('\n')}>
      <Glyph size={13} aria-hidden /> {worst.word}
      {others.length > 0 && <span className={classes.muted}>+{others.length}</span>}
    </span>
  );
}

function Version({ agent }: { agent: AgentStatus }) {
  const order = agent.version_is ?? 'same';
  return (
    <>
      {agent.version ?? absent}
      {order !== 'same' && (
        <span className={classes.kind} data-order={order} title={`${order} than the server`}>
          {order}
        </span>
      )}
    </>
  );
}

function Clock({ agent }: { agent: AgentStatus }) {
  const aheadMs = agent.clock_ahead_ms ?? null;
  if (aheadMs === null) return <>{absent}</>;
  const off = clockText(aheadMs);
  if (off === null) return <span className={classes.muted}>in step</span>;
  const isRight = (agent.clock_corrected_ms ?? null) !== null;
  const title = isRight
    ? 'Its times are put right when they arrive'
    : 'Its times are taken as they are until more sends say the same';
  return (
    <span className={classes.silent} title={title}>
      {off}
      {isRight && <span className={classes.muted}>put right</span>}
    </span>
  );
}

function placeTitle({ zone, region, provider, instance_type }: AgentStatus): string | undefined {
  const cloud = provider ? providerName(provider) : null;
  const parts = [zone, region, instance_type, cloud].filter((part) => part);
  return parts.length > 0 ? parts.join(' · ') : undefined;
}
