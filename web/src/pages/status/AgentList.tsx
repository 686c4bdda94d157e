// All agents: found, ordered, those that need attention first to hand, and in pages, as there may
// be thousands.
import { Pagination, SegmentedControl, Select, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import type { AgentStatus, AgentTokenStatus } from '../../api/types';
import { findAgents, sortAgents, troublesOf, type Trouble } from '../../domain/agents';
import { formatExact, plural } from '../../domain/units';
import { useView } from '../../state/view';
import { AgentTable, agentColumns } from './AgentTable';
import classes from './status.module.css';

const pageRows = 50;

/** An agent and what is wrong with it. */
export interface ListedAgent {
  agent: AgentStatus;
  troubles: readonly Trouble[];
}

export interface AgentListProps {
  agents: readonly AgentStatus[];
  tokens: readonly AgentTokenStatus[];
  nowMs: number;
}

export function AgentList({ agents, tokens, nowMs }: AgentListProps) {
  const { view, setView } = useView();
  const [page, setPage] = useState(1);
  /** Another choice begins on its first page. */
  const choose = (...change: Parameters<typeof setView>) => {
    setPage(1);
    setView(...change);
  };
  const troubles = useMemo(() => {
    const byId = new Map(tokens.map((token) => [token.id, token]));
    return new Map(agents.map((agent) => [agent.agent, troublesOf(agent, byId, nowMs)]));
  }, [agents, tokens, nowMs]);
  const troublesAt = (agent: AgentStatus) => troubles.get(agent.agent) ?? [];
  const troubled = agents.filter((agent) => troublesAt(agent).length > 0);
  const onlyTroubled = view.shown === 'trouble';
  const sort = view.sort ?? 'host';
  const found = findAgents(onlyTroubled ? troubled : agents, view.q ?? '');
  const pages = Math.max(1, Math.ceil(found.length / pageRows));
  const at = Math.min(page, pages);
  const rows = sortAgents(found, sort).slice((at - 1) * pageRows, at * pageRows);
  return (
    <>
      <div className={classes.tools}>
        <TextInput
          aria-label="Find agents"
          placeholder="Host, cluster, zone, version, token"
          leftSection={<IconSearch size={14} stroke={1.7} />}
          value={view.q ?? ''}
          onChange={(event) => choose({ q: event.target.value || undefined }, { replace: true })}
          className={classes.find}
        />
        <SegmentedControl
          aria-label="Which agents"
          value={onlyTroubled ? 'trouble' : 'all'}
          onChange={(shown) => choose({ shown: shown === 'trouble' ? shown : undefined })}
          data={[
            { value: 'all', label: `All ${formatExact(agents.length, 'none')}` },
            { value: 'trouble', label: `Need attention ${formatExact(troubled.length, 'none')}` },
          ]}
        />
        <Select
          aria-label="Order"
          className={classes.order}
          value={sort}
          allowDeselect={false}
          onChange={(chosen) => choose({ sort: chosen ?? undefined })}
          data={agentColumns.map(({ sort: value, label, descends }) => ({
            value: descends ? `-${value}` : value,
            label: `By ${label.toLowerCase()}`,
          }))}
        />
      </div>
      {rows.length > 0 ? (
        <AgentTable
          rows={rows.map((agent) => ({ agent, troubles: troublesAt(agent) }))}
          nowMs={nowMs}
          sort={sort}
          onSort={(next) => choose({ sort: next })}
        />
      ) : (
        <p className={classes.fine} role="status">
          {onlyTroubled && troubled.length === 0
            ? 'No agent needs attention.'
            : `None of ${plural(agents.length, 'agent')} has “${view.q ?? ''}”.`}
        </p>
      )}
      {pages > 1 && (
        <div className={classes.pages}>
          <span className={classes.muted}>
            {formatExact((at - 1) * pageRows + 1, 'none')} to{' '}
            {formatExact((at - 1) * pageRows + rows.length, 'none')} of{' '}
            {plural(found.length, 'agent')}
          </span>
          <Pagination size="sm" total={pages} value={at} onChange={setPage} withEdges />
        </div>
      )}
    </>
  );
}
