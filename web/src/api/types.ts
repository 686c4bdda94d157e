// The API's answers by the names that the UI uses; their shapes are made from its OpenAPI document.
import type { components } from './openapi.gen';

type Schemas = components['schemas'];

export type Metrics = Schemas['Metrics'];
export type Window = Schemas['Window'];
export type Incomplete = Schemas['Incomplete'];
export type PairRow = Schemas['Pair'];
export type SummaryAnswer = Schemas['Summary'];
export type SeriesLine = Schemas['SeriesLine'];
export type SeriesAnswer = Schemas['Series'];
export type FacetsAnswer = Schemas['Facets'];
export type MapNode = Schemas['MapNode'];
export type MapEdge = Schemas['MapEdge'];
export type MapGroup = Schemas['MapGroup'];
export type MapAnswer = Schemas['Map'];
/** A single row of what a page lists: a flow, or a request. */
export type FlowRow = Schemas['FlowRow'] | Schemas['RequestRow'];
export type FlowsAnswer = Schemas['Flows'] | Schemas['Requests'];
export type EntityDetails = Schemas['EntityDetails'];
export type EntityEvent = Schemas['EntityEvent'];
export type EntityEvents = Schemas['EntityEvents'];
export type PodOf = Schemas['PodOf'];
export type SchemaAnswer = Schemas['SchemaAnswer'];
export type ConnectionRow = Schemas['Connection'];
export type ConnectionsAnswer = Schemas['Connections'];
export type AgentStatus = Schemas['Agent'];
export type AgentTokenStatus = Schemas['AgentTokenState'];
export type ClusterStatus = Schemas['ClusterState'];
export type TableStatus = Schemas['TableState'];
export type StoreStatus = Schemas['StoreState'];
export type StatusAnswer = Schemas['Status'];

export interface FacetCount {
  /** `null`: the rows that have no value. */
  value: string | null;
  count: number;
}

export interface Facet {
  values: FacetCount[];
  left: number;
}

export function facetOf(answer: FacetsAnswer | undefined, field: string): Facet | undefined {
  const facet = answer?.facets.find((other) => other.field === field);
  if (!facet) return undefined;
  const values = facet.values.map(({ value, count }) => ({ value: value ?? null, count }));
  return { values, left: facet.left };
}
