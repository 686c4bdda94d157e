// The summary: every client and server that talk, with their metrics, and how these moved in time.
import { useEffect, useMemo, useState } from 'react';
import { pairColumns, widenForChange } from '../../domain/columns';
import { isMetric } from '../../domain/metrics';
import { isRelative } from '../../domain/time';
import { AnalysisCharts } from '../../parts/AnalysisCharts';
import { ListLayout } from '../../parts/ListLayout';
import { useColumnChoice } from '../../state/columnChoice';
import { useSummary } from '../../state/queries';
import { useView } from '../../state/view';
import { ChartsToggle, useChartsShown } from './charts';
import { PairsTable } from './PairsTable';
import { SummaryBar } from './SummaryBar';
import classes from './summary.module.css';

/** Seconds between looks for the very first numbers. */
const firstNumbersEvery = 5;
const defaultSort = '-bytes_sent';
const comparedColumns = widenForChange(pairColumns);
const allMetrics = pairColumns.map((column) => column.id).filter(isMetric);

export default function SummaryPage() {
  const { view, scope, range } = useView();
  const [charts, toggleCharts] = useChartsShown();
  const sort = view.sort ?? defaultSort;
  const compare = view.compare === 'previous';
  const columns = useColumnChoice('pairs', compare ? comparedColumns : pairColumns);
  const options = useMemo(
    () => ({ metrics: allMetrics, sort, compare: view.compare }),
    [sort, view.compare],
  );
  const [waiting, setWaiting] = useState(false);
  const every = view.every || (waiting ? firstNumbersEvery : 0);
  const summary = useSummary(scope, options, { every });
  const first = summary.data?.pages[0];
  const isEmpty = first?.total === 0;
  // Right after a start there is nothing yet: the page fills by itself.
  const awaits = isEmpty && view.filter === '' && isRelative(range);
  useEffect(() => setWaiting(awaits), [awaits]);
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
      <SummaryBar summary={summary} sort={sort} columns={columns}>
        <ChartsToggle shown={charts} onToggle={toggleCharts} />
      </SummaryBar>
      <PairsTable summary={summary} sort={sort} columns={columns} />
    </ListLayout>
  );
}
