// Shapes of the API's answers.
import type { Entity, Level } from '../domain/entity';
import type { FlowRow } from '../domain/flow';

export type { FlowRow };

export type Metrics = Record<string, number | null>;

export interface Window {
  from_ms: number;
  to_ms: number;
  resolution_s: number;
}

/** Why an answer does not hold everything that happened. */
export interface Incomplete {
  kind: string;
  component: string;
  reason: string;
  count: number;
  message: string;
}

export interface PairRow {
  client: Entity;
  server: Entity;
  metrics: Metrics;
  previous?: Metrics;
}

export interface SummaryAnswer {
  window: Window;
  previous_window?: Window;
  total: number;
  rows: PairRow[];
  totals: Metrics;
  previous_totals?: Metrics;
  incomplete: Incomplete[];
}

export interface SeriesLine {
  group: Record<string, string | null> | null;
  is_rest: boolean;
  metrics: Record<string, (number | null)[]>;
}

export interface SeriesAnswer {
  window: Window;
  step_s: number;
  times_ms: number[];
  series: SeriesLine[];
  incomplete: Incomplete[];
}

export interface FacetCount {
  value: string | null;
  count: number;
}

export interface Facet {
  field: string;
  values: FacetCount[];
  left: number;
}

export interface FacetsAnswer {
  window: Window;
  facets: Facet[];
  incomplete: Incomplete[];
}

export interface MapNode {
  key: string;
  entity: Entity;
  metrics: Metrics;
  group: string | null;
}

export interface MapEdge {
  client: string;
  server: string;
  metrics: Metrics;
}

export interface MapGroup {
  id: string;
  name: string;
  kind: string;
  nodes: number;
  metrics: Metrics;
}

export interface MapAnswer {
  window: Window;
  nodes: MapNode[];
  edges: MapEdge[];
  groups: MapGroup[];
  group_edges: MapEdge[];
  incomplete: Incomplete[];
}

export interface FlowsAnswer {
  window: Window;
  rows: FlowRow[];
  next_cursor: string | null;
  incomplete: Incomplete[];
}

export interface ConnectionRow {
  direction: 'outgoing' | 'incoming';
  ip: string;
  port: number | null;
  transport: string | null;
  metrics: Metrics;
  /** This row's conversations in the filter language. */
  filter: string;
}

export interface ConnectionsAnswer {
  window: Window;
  rows: ConnectionRow[];
  left: number;
  filter: string;
  incomplete: Incomplete[];
}

export interface AgentStatus {
  agent: string;
  host: string | null;
  version: string | null;
  last_seen_ms: number;
  last_window_ms: number | null;
  sequence: number | null;
  clock_ahead_ms: number | null;
  is_stale: boolean;
  rows: number;
  losses: Incomplete[];
}

export interface StoreStatus {
  kind: string;
  rows: number;
  bytes: number;
  files: number;
  journal_rows: number;
  oldest_ms: number | null;
  newest_ms: number | null;
  retention_s: number;
  corrupt_files: number;
}

export interface StatusAnswer {
  version: string;
  now_ms: number;
  started_ms: number;
  levels: Level[];
  agents: AgentStatus[];
  losses: Incomplete[];
  store: StoreStatus;
}

export function facetOf(answer: FacetsAnswer | undefined, field: string): Facet | undefined {
  return answer?.facets.find((facet) => facet.field === field);
}
