// The course of one metric for each pair of the list: one question for all of them.
import { useCallback, useMemo } from 'react';
import { drawnValues } from '../domain/chart';
import { useSeries } from './queries';
import { useView } from './view';

/** Pairs that get a trend: the heaviest; the answer folds the rest. */
const trendPairsMax = 200;

export interface Trend {
  timesMs: readonly number[];
  values: readonly (number | null)[];
}

/** Gives the trend of a pair by its `client|server` key; null where it is not among the heaviest. */
export function usePairTrends(metric: string, enabled: boolean): (pair: string) => Trend | null {
  const { scope, view } = useView();
  const series = useSeries(
    scope,
    { metrics: [metric], groupBy: 'client,server', limit: trendPairsMax },
    { enabled, every: view.every },
  );
  const byPair = useMemo(() => {
    const answer = series.data;
    const trends = new Map<string, Trend>();
    for (const line of answer?.series ?? []) {
      const values = line.metrics[metric];
      if (!answer || line.is_rest || !line.group || !values) continue;
      const key = `${line.group['client'] ?? ''}|${line.group['server'] ?? ''}`;
      trends.set(key, { timesMs: answer.times_ms, values: drawnValues(metric, values, answer.step_s) });
    }
    return trends;
  }, [series.data, metric]);
  return useCallback((pair: string) => byPair.get(pair) ?? null, [byPair]);
}
