// Questions to the API as hooks: the last answer of the layer stays while the next one loads, a
// question that nobody waits for any more is cancelled, a refused one is asked once.
import { QueryClient, useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback } from 'react';
import { Problem } from '../api/client';
import { filterForLayer } from '../domain/layer';
import * as questions from '../api/questions';
import type { Scope } from '../api/questions';

/** Rows asked for at a time in the pairs table. */
const summaryPageRows = 200;
/** Rows asked for at a time in the flow list. */
const flowPageRows = 200;
const facetValuesMax = 50;

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        refetchOnWindowFocus: false,
        retry: (failures, error) =>
          failures < 2 && !(error instanceof Problem && error.status >= 400 && error.status < 500),
      },
    },
  });
}

export interface Polling {
  /** Seconds between refreshes; 0 or absent is never. */
  every?: number | undefined;
}

function interval({ every }: Polling): number | false {
  return every ? every * 1000 : false;
}

/** The answer before, unless it was of another layer: that has none of the metrics shown now. */
function lastOf({ layer }: Scope) {
  return <T>(before: T | undefined, query: { queryKey: readonly unknown[] } | undefined) => {
    const asked = query?.queryKey[2] as Scope | undefined;
    return asked?.layer === layer ? before : undefined;
  };
}

export function useSummary(
  scope: Scope,
  options: Omit<questions.SummaryOptions, 'limit' | 'offset'>,
  polling: Polling = {},
) {
  return useInfiniteQuery({
    queryKey: ['weir', 'summary', scope, options],
    queryFn: ({ pageParam, signal }) =>
      questions.fetchSummary(
        scope,
        { ...options, limit: summaryPageRows, offset: pageParam },
        signal,
      ),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => {
      const loaded = pages.reduce((sum, page) => sum + page.rows.length, 0);
      return last.rows.length > 0 && loaded < last.total ? loaded : undefined;
    },
    placeholderData: lastOf(scope),
    refetchInterval: interval(polling),
  });
}

export function useSeries(
  scope: Scope,
  options: questions.SeriesOptions,
  polling: Polling & { enabled?: boolean } = {},
) {
  return useQuery({
    queryKey: ['weir', 'series', scope, options],
    queryFn: ({ signal }) => questions.fetchSeries(scope, options, signal),
    placeholderData: lastOf(scope),
    refetchInterval: interval(polling),
    enabled: polling.enabled ?? true,
  });
}

export function useFacets(
  scope: Scope,
  fields: readonly string[],
  polling: Polling & { enabled?: boolean } = {},
) {
  // Values are counted in the sums, beside single rows too.
  const asked = { ...scope, filter: filterForLayer(scope.filter, scope.layer) };
  return useQuery({
    queryKey: ['weir', 'facets', asked, fields],
    queryFn: ({ signal }) => questions.fetchFacets(asked, fields, facetValuesMax, signal),
    placeholderData: lastOf(scope),
    refetchInterval: interval(polling),
    enabled: (polling.enabled ?? true) && fields.length > 0,
  });
}

export function useMap(scope: Scope, options: questions.MapOptions, polling: Polling = {}) {
  return useQuery({
    queryKey: ['weir', 'map', scope, options],
    queryFn: ({ signal }) => questions.fetchMap(scope, options, signal),
    placeholderData: lastOf(scope),
    refetchInterval: interval(polling),
  });
}

export function useFlows(scope: Scope, polling: Polling = {}) {
  return useInfiniteQuery({
    queryKey: ['weir', 'flows', scope],
    queryFn: ({ pageParam, signal }) =>
      questions.fetchFlows(scope, { limit: flowPageRows, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: lastOf(scope),
    refetchInterval: interval(polling),
  });
}

export function useHistogram(
  scope: Scope,
  options: questions.HistogramOptions,
  polling: Polling = {},
) {
  return useQuery({
    queryKey: ['weir', 'histogram', scope, options],
    queryFn: ({ signal }) => questions.fetchHistogram(scope, options, signal),
    placeholderData: lastOf(scope),
    refetchInterval: interval(polling),
  });
}

export function useConnections(
  scope: Scope,
  options: questions.ConnectionsOptions,
  polling: Polling = {},
) {
  return useQuery({
    queryKey: ['weir', 'connections', scope, options],
    queryFn: ({ signal }) => questions.fetchConnections(scope, options, signal),
    placeholderData: lastOf(scope),
    refetchInterval: interval(polling),
  });
}

/** What is known of one entity, by `kind:id`. */
export function useEntity(entity: string, enabled: boolean) {
  return useQuery({
    queryKey: ['weir', 'entity', entity],
    queryFn: ({ signal }) => questions.fetchEntity(entity, signal),
    enabled,
    staleTime: 60_000,
  });
}

/** What its cluster says happened to an entity. */
export function useEvents(entity: string, polling: Polling = {}) {
  return useQuery({
    queryKey: ['weir', 'events', entity],
    queryFn: ({ signal }) => questions.fetchEvents(entity, signal),
    refetchInterval: interval(polling),
  });
}

/** The links to logs and traces elsewhere that the operator set; they last as long as the server. */
export function useLinks() {
  const query = useQuery({
    queryKey: ['weir', 'schema'],
    queryFn: ({ signal }) => questions.fetchSchema(signal),
    staleTime: Infinity,
    select: ({ links }) => links,
  });
  return query.data ?? noLinks;
}

const noLinks: { name: string; url: string }[] = [];

export function useStatus() {
  return useQuery({
    queryKey: ['weir', 'status'],
    queryFn: ({ signal }) => questions.fetchStatus(signal),
    refetchInterval: 10_000,
  });
}

/** Asks again for everything that is on screen. */
export function useRefresh(): () => void {
  const client = useQueryClient();
  return useCallback(() => void client.invalidateQueries({ queryKey: ['weir'] }), [client]);
}
