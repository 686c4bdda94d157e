// The analysis charts above a list or in the details: one question, several small charts that share
// their cursor; dragging over any of them chooses that time.
import { useId, useMemo } from 'react';
import type { Scope } from '../api/questions';
import type { Metrics } from '../api/types';
import { chartMetrics } from '../domain/chart';
import { layerCharts } from '../domain/layerCharts';
import { absoluteRange, previousRange } from '../domain/time';
import { useSeries } from '../state/queries';
import { useView } from '../state/view';
import { ChartCard, ChartSkeleton } from './ChartCard';
import { GroupedCard } from './GroupedCard';
import { Failure } from './States';
import classes from './AnalysisCharts.module.css';

/** Shorter than this a drag was a slip of the hand. */
const zoomMinMs = 2_000;

export interface AnalysisChartsProps {
  scope: Scope;
  totals: Metrics | undefined;
  every?: number | undefined;
  compare?: boolean;
  narrow?: boolean;
}

export function AnalysisCharts({
  scope,
  totals,
  every,
  compare = false,
  narrow = false,
}: AnalysisChartsProps) {
  const { setView } = useView();
  const syncKey = useId();
  const charts = layerCharts[scope.layer];
  const metrics = useMemo(() => chartMetrics(charts), [charts]);
  const series = useSeries(scope, { metrics }, { every });
  const window = series.data?.window;
  const earlier = useMemo(() => (window ? previousRange(window) : null), [window]);
  const before = useSeries(
    { ...scope, ...(earlier ?? {}) },
    { metrics, step: series.data ? `${series.data.step_s}s` : undefined },
    { enabled: compare && earlier !== null },
  );
  const zoom = (fromMs: number, toMs: number) => {
    if (toMs - fromMs >= zoomMinMs) setView(absoluteRange(fromMs, toMs));
  };
  const { data, error } = series;
  if (error && !data) {
    const retry = () => void series.refetch();
    return <Failure compact error={error} what="The charts" onRetry={retry} />;
  }
  const shared = { syncKey, onZoom: zoom };
  return (
    <div
      className={classes.grid}
      data-narrow={narrow || undefined}
      data-dimmed={series.isPlaceholderData || undefined}
    >
      {charts.map((spec) =>
        spec.groups ? (
          <GroupedCard key={spec.id} {...{ spec, scope, every, ...shared }} groups={spec.groups} />
        ) : data ? (
          <ChartCard
            key={spec.id}
            {...{ spec, totals, ...shared }}
            answer={data}
            before={compare ? before.data : undefined}
          />
        ) : (
          <ChartSkeleton key={spec.id} />
        ),
      )}
    </div>
  );
}
