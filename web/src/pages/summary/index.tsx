// The summary: every client and server that talk, with their metrics, and how these moved in time.
// Requests and DNS can also be listed by what was asked for.
import { useEffect, useMemo, useState } from 'react';
import { parseSort, widenForChange, type ColumnDef } from '../../domain/columns';
import { layerSchemas, type Layer } from '../../domain/layer';
import { volumeMetric } from '../../domain/metrics';
import { groupFields, pairColumns } from '../../domain/tableColumns';
import { isRelative } from '../../domain/time';
import { AnalysisCharts } from '../../parts/AnalysisCharts';
import { ListLayout } from '../../parts/ListLayout';
import { useColumnChoice } from '../../state/columnChoice';
import { useSummary } from '../../state/queries';
import { useView } from '../../state/view';
import { ChartsToggle, useChartsShown } from './charts';
import { GroupsList } from './GroupsList';
import { ListSwitch } from './ListSwitch';
import { PairsTable } from './PairsTable';
import { SummaryBar } from './SummaryBar';
import classes from './summary.module.css';

/** Seconds between looks for the very first numbers. */
const firstNumbersEvery = 5;

const comparedColumns: Record<Layer, readonly ColumnDef[]> = {
  l4: widenForChange(pairColumns.l4),
  l7: widenForChange(pairColumns.l7),
  dns: widenForChange(pairColumns.dns),
};

/** Table settings of a layer; L4's have the name that they always had. */
function settingsName(layer: Layer): string {
  return layer === 'l4' ? 'pairs' : `pairs.${layer}`;
}

export default function SummaryPage() {
  const { layer } = useView().view;
  return <LayerSummary key={layer} layer={layer} />;
}

function LayerSummary({ layer }: { layer: Layer }) {
  const { view, scope, range } = useView();
  const [charts, toggleCharts] = useChartsShown();
  const sort = sortOf(layer, view.sort);
  const compare = view.compare === 'previous';
  const columns = useColumnChoice(
    settingsName(layer),
    (compare ? comparedColumns : pairColumns)[layer],
  );
  const options = useMemo(
    () => ({
      metrics: layerSchemas[layer].metrics.map(({ name }) => name),
      sort,
      compare: view.compare,
    }),
    [layer, sort, view.compare],
  );
  const [waiting, setWaiting] = useState(false);
  const every = view.every || (waiting ? firstNumbersEvery : 0);
  const summary = useSummary(scope, options, { every });
  const first = summary.data?.pages[0];
  const isEmpty = first?.total === 0;
  // Right after a start there is nothing yet: the page fills by itself.
  const awaits = isEmpty && view.filter === '' && isRelative(range);
  useEffect(() => setWaiting(awaits), [awaits]);
  const bar = (
    <>
      <ChartsToggle shown={charts} onToggle={toggleCharts} />
      <ListSwitch layer={layer} />
    </>
  );
  const showsGroups = view.list === 'groups' && groupFields[layer].length > 0;
  return (
    <ListLayout>
      {charts && !isEmpty && (
        <div className={classes.charts}>
          <AnalysisCharts
            scope={scope}
            totals={first?.totals}
            every={view.every}
            compare={compare}
          />
        </div>
      )}
      {showsGroups ? (
        <GroupsList layer={layer} every={every}>
          {bar}
        </GroupsList>
      ) : (
        <>
          <SummaryBar summary={summary} sort={sort} columns={columns}>
            {bar}
          </SummaryBar>
          <PairsTable summary={summary} sort={sort} columns={columns} />
        </>
      )}
    </ListLayout>
  );
}

/** The order in the address, where the layer's list can have it. */
function sortOf(layer: Layer, given: string | undefined): string {
  const by = given === undefined ? undefined : parseSort(given).by;
  const isKnown = pairColumns[layer].some((column) => column.sort === by);
  return given !== undefined && isKnown ? given : `-${volumeMetric[layer]}`;
}
