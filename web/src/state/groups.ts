// A layer's work by the values of its own fields: request paths, names that were looked up.
import { useMemo } from 'react';
import { fetchSeries, type Scope } from '../api/questions';
import type { Incomplete, Metrics, SeriesAnswer } from '../api/types';
import { useSeries, type Polling } from './queries';

/** Groups in one answer, heaviest first; the answer folds the rest into one. */
export const groupsMax = 50;
/** One step that holds any range: a series of it has one value for each group. */
const wholeRange = '36500d';

export interface GroupRow {
  key: string;
  fields: Readonly<Record<string, string | null>>;
  metrics: Metrics;
}

export interface GroupsAnswer {
  rows: readonly GroupRow[];
  /** All further groups together; null where there are none. */
  rest: Metrics | null;
  incomplete: readonly Incomplete[];
}

export interface GroupsOptions {
  fields: readonly string[];
  /** The first one decides which groups are the heaviest, and their order. */
  metrics: readonly string[];
  limit?: number;
}

function readGroups(answer: SeriesAnswer): GroupsAnswer {
  const metricsOf = (line: SeriesAnswer['series'][0]): Metrics =>
    Object.fromEntries(
      Object.entries(line.metrics).map(([name, values]) => [name, values[0] ?? null]),
    );
  const rest = answer.series.find((line) => line.is_rest);
  const rows = answer.series.flatMap((line) => {
    if (line.is_rest || !line.group) return [];
    const fields = line.group;
    return [{ key: JSON.stringify(Object.values(fields)), fields, metrics: metricsOf(line) }];
  });
  return { rows, rest: rest ? metricsOf(rest) : null, incomplete: answer.incomplete };
}

function seriesOptions({ fields, metrics, limit = groupsMax }: GroupsOptions) {
  return { metrics, groupBy: fields.join(','), step: wholeRange, limit };
}

export async function fetchGroups(scope: Scope, options: GroupsOptions): Promise<GroupsAnswer> {
  return readGroups(await fetchSeries(scope, seriesOptions(options)));
}

export function useGroups(scope: Scope, options: GroupsOptions, polling: Polling = {}) {
  const series = useSeries(scope, seriesOptions(options), polling);
  const groups = useMemo(() => (series.data ? readGroups(series.data) : undefined), [series.data]);
  return { ...series, groups };
}
