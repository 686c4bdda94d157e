// The API's calls, one function each.
import type { ConnectionsBy, Perspective } from '../domain/search';
import type { Level } from '../domain/entity';
import type { Layer } from '../domain/layer';
import { getJson, readText, type Params } from './client';
import type {
  ConnectionsAnswer,
  EntityDetails,
  EntityEvents,
  FacetsAnswer,
  FlowsAnswer,
  MapAnswer,
  SchemaAnswer,
  SeriesAnswer,
  StatusAnswer,
  SummaryAnswer,
} from './types';

/** The part that every question shares. */
export interface Scope {
  from: string;
  to: string;
  level: Level;
  layer: Layer;
  perspective: Perspective;
  filter: string;
}

function scopeParams(scope: Scope): Params {
  return {
    ...scope,
    layer: scope.layer === 'l4' ? undefined : scope.layer,
    perspective: scope.perspective === 'merged' ? undefined : scope.perspective,
  };
}

/** Scope of a call whose address names the layer already. */
function layerlessParams(scope: Scope): Params {
  return { ...scopeParams(scope), layer: undefined };
}

export interface SummaryOptions {
  metrics: readonly string[];
  sort: string;
  limit: number;
  offset: number;
  compare?: 'previous' | undefined;
}

export function fetchSummary(scope: Scope, options: SummaryOptions, signal?: AbortSignal) {
  const params = { ...scopeParams(scope), ...options, metrics: options.metrics.join(',') };
  return getJson<SummaryAnswer>('/summary', params, signal);
}

export interface SeriesOptions {
  metrics: readonly string[];
  groupBy?: string | undefined;
  step?: string | undefined;
  /** Heaviest groups to tell apart; the rest become one line. */
  limit?: number | undefined;
}

export function fetchSeries(scope: Scope, options: SeriesOptions, signal?: AbortSignal) {
  const { metrics, groupBy, step, limit } = options;
  const asked = { metrics: metrics.join(','), group_by: groupBy, step, limit };
  const params = { ...scopeParams(scope), ...asked };
  return getJson<SeriesAnswer>('/series', params, signal);
}

export function fetchFacets(
  scope: Scope,
  fields: readonly string[],
  limit: number,
  signal?: AbortSignal,
) {
  const params = { ...scopeParams(scope), fields: fields.join(','), limit };
  return getJson<FacetsAnswer>('/facets', params, signal);
}

export interface MapOptions {
  metrics: readonly string[];
  group: string;
  focus?: string | undefined;
  depth?: number | undefined;
  /** Most nodes, heaviest first; the server's own limit when absent. */
  limit?: number | undefined;
}

export function fetchMap(scope: Scope, options: MapOptions, signal?: AbortSignal) {
  const params = { ...scopeParams(scope), ...options, metrics: options.metrics.join(',') };
  return getJson<MapAnswer>('/map', params, signal);
}

export interface FlowsOptions {
  limit: number;
  cursor?: string | undefined;
}

export function fetchFlows(scope: Scope, options: FlowsOptions, signal?: AbortSignal) {
  const params = { ...layerlessParams(scope), ...options };
  return getJson<FlowsAnswer>(`/flows/${scope.layer}`, params, signal);
}

export interface HistogramOptions {
  metrics: readonly string[];
  groupBy: string;
}

export function fetchHistogram(scope: Scope, options: HistogramOptions, signal?: AbortSignal) {
  const asked = { metrics: options.metrics.join(','), group_by: options.groupBy };
  const params = { ...layerlessParams(scope), ...asked };
  return getJson<SeriesAnswer>(`/flows/${scope.layer}/histogram`, params, signal);
}

export interface ConnectionsOptions {
  client?: string | undefined;
  server?: string | undefined;
  entity?: string | undefined;
  by: ConnectionsBy;
  metrics: readonly string[];
}

export function fetchConnections(scope: Scope, options: ConnectionsOptions, signal?: AbortSignal) {
  const params = { ...scopeParams(scope), ...options, metrics: options.metrics.join(',') };
  return getJson<ConnectionsAnswer>('/connections', params, signal);
}

/** What is known of one entity, by `kind:id`. */
export function fetchEntity(entity: string, signal?: AbortSignal) {
  return getJson<EntityDetails>('/entity', { entity }, signal);
}

/** What its cluster says happened to an entity. */
export function fetchEvents(entity: string, signal?: AbortSignal) {
  return getJson<EntityEvents>('/entity/events', { entity }, signal);
}

export interface LogOptions {
  /** `pod:id`. */
  entity: string;
  container?: string | undefined;
  /** Lines before now. */
  lines: number;
  isFollowed: boolean;
}

/** The log of a Pod, piece by piece as it comes. */
export function readLog(options: LogOptions, signal: AbortSignal, take: (piece: string) => void) {
  const { entity, container, lines, isFollowed } = options;
  const follow = isFollowed ? 'true' : undefined;
  return readText('/entity/logs', { entity, container, lines, follow }, signal, take);
}

export function fetchSchema(signal?: AbortSignal) {
  return getJson<SchemaAnswer>('/schema', {}, signal);
}

export function fetchStatus(signal?: AbortSignal) {
  return getJson<StatusAnswer>('/status', {}, signal);
}
