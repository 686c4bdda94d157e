// A chart with a line for each of the heaviest values of a field: failures by code, say.
import { useMemo } from 'react';
import type { Scope } from '../api/questions';
import type { Metrics, SeriesAnswer } from '../api/types';
import { namedLines, type ChartSpec } from '../domain/chart';
import { useSeries } from '../state/queries';
import { ChartCard, ChartSkeleton } from './ChartCard';
import { Failure } from './States';

export interface GroupedCardProps {
  spec: ChartSpec;
  groups: NonNullable<ChartSpec['groups']>;
  scope: Scope;
  every: number | undefined;
  syncKey: string;
  onZoom: (fromMs: number, toMs: number) => void;
}

/** The grouped answer as one with a metric for each group, which is what a chart draws. */
function drawable(
  spec: ChartSpec,
  { field, metric }: GroupedCardProps['groups'],
  answer: SeriesAnswer,
): { spec: ChartSpec; answer: SeriesAnswer; totals: Metrics } {
  const lines = namedLines(answer, field, metric);
  const metrics = Object.fromEntries(lines.map(({ label, values }) => [label, [...values]]));
  return {
    spec: {
      ...spec,
      lines: lines.map(({ label }, color) => ({
        metric: label,
        unitOf: metric,
        label,
        kind: 'bar',
        side: 'up',
        color: label === 'others' ? 5 : color,
      })),
    },
    answer: { ...answer, series: [{ is_rest: false, metrics }] },
    totals: Object.fromEntries(lines.map(({ label, total }) => [label, total])),
  };
}

export function GroupedCard({ spec, groups, scope, every, syncKey, onZoom }: GroupedCardProps) {
  const { field, metric, limit } = groups;
  const series = useSeries(scope, { metrics: [metric], groupBy: field, limit }, { every });
  const { data } = series;
  const drawn = useMemo(() => (data ? drawable(spec, groups, data) : null), [spec, groups, data]);
  if (series.error && !data) {
    const retry = () => void series.refetch();
    return <Failure compact error={series.error} what={spec.title} onRetry={retry} />;
  }
  if (!drawn) return <ChartSkeleton />;
  return <ChartCard {...drawn} syncKey={syncKey} onZoom={onZoom} />;
}
