// The details drawer: one pair or one entity, over any page, opened by the address bar.
import { ActionIcon, Button, Skeleton, Tooltip } from '@mantine/core';
import { IconLink, IconTimeline, IconX } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import type { Scope } from '../../api/questions';
import { decodeDetails, tabsOf, type Details, type DetailsTab } from '../../domain/details';
import { entityOfRef, type Entity } from '../../domain/entity';
import type { Layer } from '../../domain/layer';
import { volumeMetric } from '../../domain/metrics';
import { rowsSearch, type ViewSearch } from '../../domain/search';
import { AnalysisCharts } from '../../parts/AnalysisCharts';
import { IncompleteMark } from '../../parts/IncompleteMark';
import { LayerSwitch } from '../../parts/LayerSwitch';
import { Failure } from '../../parts/States';
import { useClusterCount } from '../../state/levels';
import { useConnections, useSummary } from '../../state/queries';
import { useView } from '../../state/view';
import { AskedFor } from './AskedFor';
import { connectionMetrics, Connections } from './Connections';
import { DetailsHeader } from './DetailsHeader';
import { EntityTabs } from './EntityTabs';
import { Events } from './Events';
import { Logs } from './Logs';
import { Overview } from './Overview';
import { Peers } from './Peers';
import { ResizeEdge, useDrawerWidth } from './ResizeEdge';
import { detailsMetrics, endsOf, scopeOfLayer } from './question';
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

/** The tab in the address, where the entity has it. */
function useTab(details: Details): { tabs: readonly DetailsTab[]; tab: DetailsTab } {
  const { view } = useView();
  const hasCluster = (useClusterCount() ?? 0) > 0;
  const tabs: readonly DetailsTab[] =
    details.kind === 'entity' ? tabsOf(details.entity, hasCluster) : ['network'];
  return { tabs, tab: tabs.find((known) => known === view.tab) ?? 'network' };
}

function DetailsBody({ details }: { details: Details }) {
  const { scope: pageScope, view, setView } = useView();
  const { tabs, tab } = useTab(details);
  const layer = view.details_layer ?? view.layer;
  const scope = useMemo(() => scopeOfLayer(pageScope, layer), [pageScope, layer]);
  const options = useMemo(
    () => ({
      ...endsOf(details),
      by: view.by ?? ('ip_port' as const),
      metrics: connectionMetrics(layer),
    }),
    [details, view.by, layer],
  );
  const connections = useConnections(scope, options, { every: view.every });
  // Which flows belong to an entity, with its fall-backs, is the server's to say.
  const filter = connections.data?.filter;
  const close = () => setView({ details: undefined, tab: undefined });
  return (
    <>
      <DetailsHeader
        details={details}
        actions={<Actions layer={layer} filter={filter} onClose={close} />}
      />
      {tabs.length > 1 && <EntityTabs tabs={tabs} value={tab} />}
      {tab !== 'network' && details.kind === 'entity' ? (
        <div className={classes.scroll} key={tab} data-tab={tab}>
          <Known tab={tab} entity={entityOfRef(details.entity)} />
        </div>
      ) : (
        <Network details={details} scope={scope} connections={connections} />
      )}
    </>
  );
}

function Known({ tab, entity }: { tab: DetailsTab; entity: Entity }) {
  if (tab === 'events') return <Events entity={entity} />;
  return tab === 'logs' ? <Logs entity={entity} /> : <Overview entity={entity} />;
}

interface NetworkProps {
  details: Details;
  scope: Scope;
  connections: ReturnType<typeof useConnections>;
}

function Network({ details, scope, connections }: NetworkProps) {
  const { view, setView } = useView();
  const { layer } = scope;
  const filter = connections.data?.filter;
  return (
    <>
      <div className={classes.scroll} key={layer}>
        <div className={classes.layers}>
          <LayerSwitch
            label="Layer of the details"
            value={layer}
            onChange={(next) =>
              setView({ details_layer: next === view.layer ? undefined : next }, { replace: true })
            }
          />
        </div>
        {scope.filter !== '' && (
          <p className={classes.filterNote}>
            Narrowed by the page’s filter <code>{scope.filter}</code>
          </p>
        )}
        {filter === undefined ? (
          <Waiting connections={connections} />
        ) : (
          <Measured details={details} scope={scope} filter={filter} />
        )}
        {connections.data && (
          <Connections
            layer={layer}
            answer={connections.data}
            dimmed={connections.isPlaceholderData}
          />
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

interface MeasuredProps {
  details: Details;
  scope: Scope;
  filter: string;
}

function Measured({ details, scope, filter }: MeasuredProps) {
  const { view } = useView();
  const { layer } = scope;
  const narrowed = useMemo<Scope>(() => ({ ...scope, filter }), [scope, filter]);
  const options = useMemo(
    () => ({ metrics: detailsMetrics[layer], sort: `-${volumeMetric[layer]}` }),
    [layer],
  );
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
        <Tiles layer={layer} totals={first?.totals} />
      )}
      <section className={classes.section}>
        <h3 className={classes.heading}>Analysis</h3>
        <AnalysisCharts scope={narrowed} totals={first?.totals} every={view.every} narrow />
      </section>
      {layer !== 'l4' && <AskedFor layer={layer} scope={narrowed} />}
      {details.kind === 'entity' && first && (
        <Peers layer={layer} entity={details.entity} answer={first} />
      )}
    </>
  );
}

interface ActionsProps {
  layer: Layer;
  filter: string | undefined;
  onClose: () => void;
}

function Actions({ layer, filter, onClose }: ActionsProps) {
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
        search={((previous: ViewSearch) => rowsSearch({ ...previous, layer, filter })) as never}
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
