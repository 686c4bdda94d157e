// The details drawer: one pair or one entity, over any page, opened by the address bar.
import { ActionIcon, Button, Skeleton, Tooltip } from '@mantine/core';
import { IconLink, IconTimeline, IconX } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import type { Scope } from '../../api/questions';
import { decodeDetails, type Details } from '../../domain/details';
import { AnalysisCharts } from '../../parts/AnalysisCharts';
import { IncompleteMark } from '../../parts/IncompleteMark';
import { Failure } from '../../parts/States';
import { useConnections, useSummary } from '../../state/queries';
import { useView } from '../../state/view';
import { connectionMetrics, Connections } from './Connections';
import { DetailsHeader } from './DetailsHeader';
import { Peers } from './Peers';
import { ResizeEdge, useDrawerWidth } from './ResizeEdge';
import { detailsMetrics, endsOf } from './question';
import { Tiles } from './Tiles';
import classes from './details.module.css';

export default function DetailsDrawer() {
  const { view } = useView();
  const details = useMemo(
    () => (view.details ? decodeDetails(view.details) : null),
    [view.details],
  );
  const width = useDrawerWidth();
  if (!details) return null;
  return (
    <aside className={classes.drawer} style={{ width: width.px }} aria-label="Details">
      <ResizeEdge width={width} />
      <DetailsBody key={view.details} details={details} />
    </aside>
  );
}

function DetailsBody({ details }: { details: Details }) {
  const { scope, view, setView } = useView();
  const options = useMemo(
    () => ({ ...endsOf(details), by: view.by ?? ('ip_port' as const), metrics: connectionMetrics }),
    [details, view.by],
  );
  const connections = useConnections(scope, options, { every: view.every });
  // Which flows belong to an entity, with its fall-backs, is the server's to say.
  const filter = connections.data?.filter;
  const close = () => setView({ details: undefined });
  return (
    <>
      <DetailsHeader details={details} actions={<Actions filter={filter} onClose={close} />} />
      <div className={classes.scroll}>
        {scope.filter !== '' && (
          <p className={classes.filterNote}>
            Narrowed by the page’s filter <code>{scope.filter}</code>
          </p>
        )}
        {filter === undefined ? (
          <Waiting connections={connections} />
        ) : (
          <Measured details={details} filter={filter} />
        )}
        {connections.data && (
          <Connections answer={connections.data} dimmed={connections.isPlaceholderData} />
        )}
      </div>
    </>
  );
}

function Waiting({ connections }: { connections: ReturnType<typeof useConnections> }) {
  if (connections.error) {
    return (
      <Failure
        error={connections.error}
        what="The details"
        onRetry={() => void connections.refetch()}
      />
    );
  }
  return (
    <div aria-busy="true" aria-label="Loading">
      <Skeleton height={110} radius="md" />
      <Skeleton height={290} mt={20} radius="md" />
    </div>
  );
}

function Measured({ details, filter }: { details: Details; filter: string }) {
  const { scope, view } = useView();
  const narrowed = useMemo<Scope>(() => ({ ...scope, filter }), [scope, filter]);
  const options = useMemo(() => ({ metrics: detailsMetrics, sort: '-bytes_sent' }), []);
  const summary = useSummary(narrowed, options, { every: view.every });
  const first = summary.data?.pages[0];
  return (
    <>
      <div className={classes.mark}>
        <IncompleteMark incomplete={first?.incomplete} />
      </div>
      {summary.error && !first ? (
        <Failure
          compact
          error={summary.error}
          what="The totals"
          onRetry={() => void summary.refetch()}
        />
      ) : (
        <Tiles totals={first?.totals} />
      )}
      <section className={classes.section}>
        <h3 className={classes.heading}>Analysis</h3>
        <AnalysisCharts scope={narrowed} totals={first?.totals} every={view.every} narrow />
      </section>
      {details.kind === 'entity' && first && <Peers entity={details.entity} answer={first} />}
    </>
  );
}

function Actions({ filter, onClose }: { filter: string | undefined; onClose: () => void }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(window.location.href);
    setCopied(true);
  };
  return (
    <>
      <Button
        component={Link}
        to="/flows"
        search={
          ((previous: object) => ({
            ...previous,
            filter,
            details: undefined,
            sort: undefined,
          })) as never
        }
        variant="default"
        size="compact-sm"
        disabled={filter === undefined}
        leftSection={<IconTimeline size={14} stroke={1.7} />}
      >
        Flows
      </Button>
      <Tooltip label={copied ? 'Link copied' : 'Copy a link to this view'}>
        <ActionIcon
          aria-label="Copy a link to this view"
          onClick={() => void copy()}
          onMouseLeave={() => setCopied(false)}
        >
          <IconLink size={16} stroke={1.7} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label="Close (Esc)">
        <ActionIcon aria-label="Close the details" onClick={onClose}>
          <IconX size={17} stroke={1.7} />
        </ActionIcon>
      </Tooltip>
    </>
  );
}
