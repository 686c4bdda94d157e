// The analysis charts above a list or in the details: one question, several small charts that share
// their cursor; dragging over any of them chooses that time.
import { Skeleton } from '@mantine/core';
import { useId, useMemo } from 'react';
import type { Scope } from '../api/questions';
import type { Metrics } from '../api/types';
import { chartMetrics, l4Charts } from '../domain/chart';
import { absoluteRange, previousRange } from '../domain/time';
import { useSeries } from '../state/queries';
import { useView } from '../state/view';
import { ChartCard } from './ChartCard';
import { Failure } from './States';
import classes from './AnalysisCharts.module.css';

const metrics = chartMetrics(l4Charts);

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
  if (series.error && !series.data) {
    return (
      <Failure
        compact
        error={series.error}
        what="The charts"
        onRetry={() => void series.refetch()}
      />
    );
  }
  const { data } = series;
  return (
    <div
      className={classes.grid}
      data-narrow={narrow || undefined}
      data-dimmed={series.isPlaceholderData || undefined}
    >
      {l4Charts.map((spec) =>
        data ? (
          <ChartCard
            key={spec.id}
            spec={spec}
            answer={data}
            totals={totals}
            before={compare ? before.data : undefined}
            syncKey={syncKey}
            onZoom={zoom}
          />
        ) : (
          <div key={spec.id} className={classes.skeleton} aria-busy="true">
            <Skeleton height={10} width={70} />
            <Skeleton height={78} mt={22} />
          </div>
        ),
      )}
    </div>
  );
}
