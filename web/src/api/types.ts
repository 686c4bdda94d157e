// Shapes of the API's answers.
import type { Entity, EntityKind, Level } from '../domain/entity';

export type Metrics = Record<string, number | null>;

export interface Window {
  from_ms: number;
  to_ms: number;
  resolution_s: number;
}

/** Why an answer does not hold everything that happened. */
export interface Incomplete {
  kind: string;
  component?: string;
  reason: string;
  count: number;
  message: string;
}

export interface PairRow {
  client: Entity;
  server: Entity;
  metrics: Metrics;
  previous?: Metrics | null;
}

export interface SummaryAnswer {
  window: Window;
  total: number;
  rows: PairRow[];
  totals: Metrics;
  previous_totals?: Metrics | null;
  incomplete: Incomplete[];
}

export interface SeriesLine {
  group: Record<string, string | null> | null;
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

export interface FacetsAnswer {
  facets: Record<string, FacetCount[]>;
  incomplete: Incomplete[];
}

export interface MapNode {
  entity: Entity;
  metrics: Metrics;
  group?: string | null;
}

export interface MapEdge {
  client: string;
  server: string;
  metrics: Metrics;
}

export interface MapGroup {
  id: string;
  name: string;
  nodes: number;
}

export interface MapAnswer {
  window: Window;
  nodes: MapNode[];
  edges: MapEdge[];
  groups: MapGroup[];
  incomplete: Incomplete[];
}

export type FlowValue = string | number | null;
export type FlowRow = Record<string, FlowValue>;

export interface FlowsAnswer {
  rows: FlowRow[];
  next_cursor: string | null;
  incomplete: Incomplete[];
}

export interface ConnectionRow {
  ip: string;
  port?: number | null;
  name?: string | null;
  metrics: Metrics;
}

export interface ConnectionsAnswer {
  rows: ConnectionRow[];
  left: number;
  incomplete: Incomplete[];
}

export interface AgentStatus {
  agent: string;
  host: string;
  last_seen_ms: number;
  version: string;
  losses: Incomplete[];
}

export interface StoreStatus {
  bytes: number;
  rows: number;
  files: number;
  oldest_ms: number | null;
  retention_s: number;
}

export interface StatusAnswer {
  version: string;
  levels?: Level[];
  agents: AgentStatus[];
  losses: Incomplete[];
  store: StoreStatus;
}

export type { Entity, EntityKind };
