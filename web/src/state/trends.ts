// The course of one metric for each pair of the list: one question for all of them.
import { useCallback, useMemo } from 'react';
import { drawnValues } from '../domain/chart';
import { resolveRange, spanText, type TimeRange } from '../domain/time';
import { useSeries } from './queries';
import { useView } from './view';

/** Pairs that get a trend: the heaviest; the answer folds the rest. */
const trendPairsMax = 50;
/** Points of a trend: as many as a cell can show apart. */
const trendPoints = 30;

export interface Trend {
  timesMs: readonly number[];
  values: readonly (number | null)[];
}

/** Length of a step that gives about that many points, in whole windows of 10 seconds. */
function stepText(range: TimeRange, points: number): string {
  const { fromMs, toMs } = resolveRange(range, Date.now());
  return spanText(Math.max(1, Math.ceil((toMs - fromMs) / points / 10_000)) * 10_000);
}

/** Gives the trend of a pair by its `client|server` key; null where it is not among the heaviest. */
export function usePairTrends(metric: string, enabled: boolean): (pair: string) => Trend | null {
  const { scope, view, range } = useView();
  const step = useMemo(() => stepText(range, trendPoints), [range]);
  const series = useSeries(
    scope,
    { metrics: [metric], groupBy: 'client,server', limit: trendPairsMax, step },
    { enabled, every: view.every },
  );
  const byPair = useMemo(() => {
    const answer = series.data;
    const trends = new Map<string, Trend>();
    for (const line of answer?.series ?? []) {
      const values = line.metrics[metric];
      if (!answer || line.is_rest || !line.group || !values) continue;
      const key = `${line.group['client'] ?? ''}|${line.group['server'] ?? ''}`;
      trends.set(key, {
        timesMs: answer.times_ms,
        values: drawnValues(metric, values, answer.step_s),
      });
    }
    return trends;
  }, [series.data, metric]);
  return useCallback((pair: string) => byPair.get(pair) ?? null, [byPair]);
}
