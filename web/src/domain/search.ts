// The state of a view as it stands in the address bar. Pure.
// A key is present only when someone chose something; a page supplies its own defaults.
import { detailsTabs, type DetailsTab } from './details';
import { allLevels, type Level } from './entity';
import { filterForLayer, layers, type Asked, type Layer } from './layer';
import { resolveBound } from './time';

export type Perspective = 'merged' | 'client' | 'server' | 'both';
export type ConnectionsBy = 'ip_port' | 'ip';
export type MapGroup = 'none' | 'namespace' | 'zone' | 'host';
/** `groups`: request paths at L7, names in DNS. */
export type SummaryList = 'groups';

/** What the address bar may hold; the map's keys stand at the end. */
export interface ViewSearch {
  from?: string;
  to?: string;
  level?: Level;
  layer?: Layer;
  perspective?: Perspective;
  filter?: string;
  /** Metric or column name, `-` in front for largest first. */
  sort?: string;
  /** Seconds between automatic refreshes; 0 is off. */
  every?: number;
  compare?: 'previous';
  /** What the summary lists: pairs of client and server unless said otherwise. */
  list?: SummaryList;
  /** What the flows' histogram is stacked by. */
  stack?: string;
  /** What the flows' histogram shows; `trouble` on the status page: only agents that need attention. */
  shown?: string;
  /** What the details drawer shows; see details.ts. */
  details?: string;
  /** The layer in the details drawer, where it is not the page's. */
  details_layer?: Layer;
  /** What the details drawer tells of an entity; its network unless said otherwise. */
  tab?: DetailsTab;
  by?: ConnectionsBy;
  fill?: string;
  /** Custom intervals of the fill metric, `low..high`. */
  range?: string;
  /** What the map's nodes stand together by; the server's own choice unless said otherwise. */
  group?: MapGroup;
  focus?: string;
  depth?: number;
  /** Key of the node that is selected on the map. */
  selected?: string;
  /** What is looked for by name on the map, and among agents. */
  q?: string;
  /** Most nodes on the map. */
  limit?: number;
  /** What happens to the part of the map that the filter leaves out; faded unless hidden. */
  rest?: 'hide';
}

const perspectives: readonly Perspective[] = ['merged', 'client', 'server', 'both'];
export const mapGroups: readonly MapGroup[] = ['none', 'namespace', 'zone', 'host'];
export const refreshChoices: readonly number[] = [0, 10, 30, 60, 300];

function oneOf<T extends string>(known: readonly T[], value: unknown): T | undefined {
  return known.find((item) => item === value);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function bound(value: unknown): string | undefined {
  const given = text(value);
  return given !== undefined && resolveBound(given, 0) !== null ? given : undefined;
}

function whole(value: unknown, min: number, max: number): number | undefined {
  const given = text(value);
  if (given === undefined || !/^\d{1,9}$/.test(given)) return undefined;
  const number = Number(given);
  return number >= min && number <= max ? number : undefined;
}

/** Takes what it understands and leaves the rest: an old or mistyped link still opens. */
export function decodeSearch(raw: Record<string, unknown>): ViewSearch {
  const every = whole(raw['every'], 0, 3600);
  const decoded: ViewSearch = {
    from: bound(raw['from']),
    to: bound(raw['to']),
    level: oneOf(allLevels, raw['level']),
    layer: oneOf(layers, raw['layer']),
    perspective: oneOf(perspectives, raw['perspective']),
    filter: text(raw['filter']),
    sort: text(raw['sort']),
    every: every !== undefined && refreshChoices.includes(every) ? every : undefined,
    compare: oneOf(['previous'], raw['compare']),
    list: oneOf(['groups'], raw['list']),
    stack: text(raw['stack']),
    shown: text(raw['shown']),
    details: text(raw['details']),
    details_layer: oneOf(layers, raw['details_layer']),
    tab: oneOf(detailsTabs, raw['tab']),
    by: oneOf(['ip_port', 'ip'], raw['by']),
    fill: text(raw['fill']),
    range: text(raw['range']),
    group: oneOf(mapGroups, raw['group']),
    focus: text(raw['focus']),
    depth: whole(raw['depth'], 1, 3),
    selected: text(raw['selected']),
    q: text(raw['q']),
    limit: whole(raw['limit'], 1, 5000),
    rest: oneOf(['hide'], raw['rest']),
  };
  return dropAbsent(decoded);
}

function dropAbsent<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T;
}

/** Plain `key=value` pairs, readable and the same words as the API's parameters. */
export function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    if (value !== undefined && value !== null && value !== '') params.set(key, String(value));
  }
  const query = params.toString();
  if (query === '') return '';
  return `?${query.replaceAll('%3A', ':').replaceAll('%2F', '/').replaceAll('%2C', ',')}`;
}

export function parseSearch(query: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(query));
}

/** What stays when someone goes to another page: the question, not the page's own settings. */
export function sharedSearch(search: ViewSearch): ViewSearch {
  const { from, to, level, layer, perspective, filter } = search;
  return dropAbsent({ from, to, level, layer, perspective, filter });
}

/** A Service is asked for its requests first; processes and hosts for their traffic. */
export function layerOf({ layer, level }: Pick<ViewSearch, 'layer' | 'level'>): Layer {
  return layer ?? (level === 'service' ? 'l7' : 'l4');
}

/** Flows are single rows; all other pages show sums. */
export function askedBy(path: string): Asked {
  return path === '/flows' ? 'rows' : 'sums';
}

/** The question on another page: without the conditions that can only be answered here. */
export function searchFor(path: string): (search: ViewSearch) => ViewSearch {
  return (search) => {
    const filter = filterForLayer(search.filter ?? '', layerOf(search), askedBy(path));
    return dropAbsent({ ...sharedSearch(search), filter: filter === '' ? undefined : filter });
  };
}

/** The same question to the rows: of DNS, whose lookups are not kept one by one, its connections. */
export function rowsSearch(search: ViewSearch): ViewSearch {
  if (layerOf(search) !== 'dns') return searchFor('/flows')(search);
  return dropAbsent({ ...sharedSearch(search), ...toLayer('l4', search.filter ?? '', 'rows') });
}

/** The change of address that another layer is: what only the old one can answer goes. */
export function toLayer(layer: Layer, filter: string, asked: Asked): ViewSearch {
  const kept = filterForLayer(filter, layer, asked);
  return {
    layer,
    filter: kept === '' ? undefined : kept,
    sort: undefined,
    list: undefined,
    stack: undefined,
    shown: undefined,
    fill: undefined,
    range: undefined,
    details_layer: undefined,
  };
}
