// Status: who sends, what was lost, what is known of clusters, what is kept.
import { Skeleton } from '@mantine/core';
import { IconCircleCheck, IconPlugConnectedX } from '@tabler/icons-react';
import type { StatusAnswer } from '../../api/types';
import { formatMomentExact } from '../../domain/time';
import { formatDuration, plural } from '../../domain/units';
import { Empty, Failure } from '../../parts/States';
import { useStatus } from '../../state/queries';
import { AgentList } from './AgentList';
import { ClusterCard } from './ClusterCard';
import { LossTable } from './LossTable';
import { StoreCard } from './StoreCard';
import { TableCard } from './TableCard';
import { TokenTable } from './TokenTable';
import classes from './status.module.css';

export default function StatusPage() {
  const status = useStatus();
  if (status.error && !status.data) {
    return (
      <div className={classes.page}>
        <Failure error={status.error} what="The status" onRetry={() => void status.refetch()} />
      </div>
    );
  }
  return (
    <div className={classes.page}>
      <div className={classes.column}>
        {status.data ? <StatusBody status={status.data} /> : <Skeleton height={240} radius="md" />}
      </div>
    </div>
  );
}

function StatusBody({ status }: { status: StatusAnswer }) {
  const silent = status.agents.filter((agent) => agent.is_stale).length;
  return (
    <>
      <header className={classes.head}>
        <h1 className={classes.title}>Status</h1>
        <span className={classes.muted} title={formatMomentExact(status.started_ms)}>
          weir {status.version} · up {formatDuration(status.now_ms - status.started_ms)}
        </span>
      </header>
      <StoreCard store={status.store} nowMs={status.now_ms} />
      <section className={classes.section} aria-label="Agents">
        <h2 className={classes.heading}>
          {plural(status.agents.length, 'agent')}
          {silent > 0 && <span className={classes.warn}>{silent} silent</span>}
        </h2>
        {status.agents.length > 0 ? (
          <AgentList agents={status.agents} tokens={status.agent_tokens} nowMs={status.now_ms} />
        ) : (
          <div className={classes.card}>
            <Empty icon={IconPlugConnectedX} title="No agent has sent anything yet">
              Make a token with <code>weir token create</code>, then start an agent on the host to
              be watched: <code>weir agent --server URL --token-file FILE</code>
            </Empty>
          </div>
        )}
      </section>
      {status.clusters.length > 0 && (
        <section className={classes.section} aria-label="Clusters">
          <h2 className={classes.heading}>Clusters that are watched for names</h2>
          {status.clusters.map((cluster) => (
            <ClusterCard key={cluster.name} cluster={cluster} nowMs={status.now_ms} />
          ))}
        </section>
      )}
      <section className={classes.section} aria-label="Losses">
        <h2 className={classes.heading}>
          Lost, dropped, discarded or sampled in the last 15 minutes
        </h2>
        {status.losses.length > 0 ? (
          <LossTable losses={status.losses} />
        ) : (
          <p className={classes.fine}>
            <IconCircleCheck size={16} stroke={1.7} aria-hidden /> Nothing. Every number is
            complete.
          </p>
        )}
      </section>
      <section className={classes.section} aria-label="Tables">
        <h2 className={classes.heading}>What is stored</h2>
        <TableCard tables={status.store.tables} nowMs={status.now_ms} />
      </section>
      {status.agent_tokens.length > 0 && (
        <section className={classes.section} aria-label="Agents' tokens">
          <h2 className={classes.heading}>Tokens with which agents send</h2>
          <TokenTable tokens={status.agent_tokens} nowMs={status.now_ms} />
        </section>
      )}
    </>
  );
}
