// The summary: every client and server that talk, with their metrics, and how these moved in time.
import { useMemo } from 'react';
import { pairColumns, widenForChange } from '../../domain/columns';
import { isMetric } from '../../domain/metrics';
import { AnalysisCharts } from '../../parts/AnalysisCharts';
import { ListLayout } from '../../parts/ListLayout';
import { useColumnChoice } from '../../state/columnChoice';
import { useSummary } from '../../state/queries';
import { useView } from '../../state/view';
import { ChartsToggle, useChartsShown } from './charts';
import { PairsTable } from './PairsTable';
import { SummaryBar } from './SummaryBar';
import classes from './summary.module.css';

const defaultSort = '-bytes_sent';
const comparedColumns = widenForChange(pairColumns);
const allMetrics = pairColumns.map((column) => column.id).filter(isMetric);

export default function SummaryPage() {
  const { view, scope } = useView();
  const [charts, toggleCharts] = useChartsShown();
  const sort = view.sort ?? defaultSort;
  const compare = view.compare === 'previous';
  const columns = useColumnChoice('pairs', compare ? comparedColumns : pairColumns);
  const options = useMemo(
    () => ({ metrics: allMetrics, sort, compare: view.compare }),
    [sort, view.compare],
  );
  const summary = useSummary(scope, options, { every: view.every });
  const totals = summary.data?.pages[0]?.totals;
  return (
    <ListLayout>
      {charts && (
        <div className={classes.charts}>
          <AnalysisCharts scope={scope} totals={totals} every={view.every} compare={compare} />
        </div>
      )}
      <SummaryBar summary={summary} sort={sort} columns={columns}>
        <ChartsToggle shown={charts} onToggle={toggleCharts} />
      </SummaryBar>
      <PairsTable summary={summary} sort={sort} columns={columns} />
    </ListLayout>
  );
}
