// The list of agents: what is wrong with each, and finding and ordering them. Pure.
import { formatDuration, plural } from './units';

/** What the list needs of an agent's status. */
export interface AgentFacts {
  agent: string;
  host?: string | null;
  cluster?: string | null;
  zone?: string | null;
  region?: string | null;
  provider?: string | null;
  instance_type?: string | null;
  version?: string | null;
  version_is?: 'same' | 'older' | 'newer' | null;
  token?: string | null;
  last_seen_ms: number;
  clock_ahead_ms?: number | null;
  clock_corrected_ms?: number | null;
  is_stale: boolean;
  rows: number;
  last_lost_ms?: number | null;
  losses: readonly { kind: string; count: number }[];
}

/** What the list needs of a token of agents. */
export interface TokenFacts {
  id: string;
  standing: 'good' | 'expired' | 'revoked';
}

export interface Trouble {
  kind: 'silent' | 'token' | 'losses' | 'clock' | 'newer';
  /** One word for a cell. */
  word: string;
  /** What it means. */
  text: string;
}

/** A loss is news for so long. */
const lossNewsMs = 15 * 60_000;
/** Up to here the server leaves times as they are. */
export const clockNotedMs = 5_000;

/** How far a clock is off, in words; null where it is in step. */
export function clockText(aheadMs: number): string | null {
  if (Math.abs(aheadMs) <= clockNotedMs) return null;
  return `${formatDuration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead' : 'behind'}`;
}

export function lostCount(agent: AgentFacts): number {
  return agent.losses.reduce((sum, loss) => sum + (loss.kind === 'lost' ? loss.count : 0), 0);
}

function clockTrouble({ clock_ahead_ms, clock_corrected_ms }: AgentFacts): Trouble | null {
  const corrected = clock_corrected_ms ?? 0;
  const clock = clockText(corrected === 0 ? (clock_ahead_ms ?? 0) : corrected);
  if (clock === null) return null;
  const what = corrected === 0 ? 'its times are taken as they are' : 'its times are put right';
  return { kind: 'clock', word: 'clock off', text: `Its clock is ${clock}; ${what}` };
}

/** What is wrong with an agent, the worst first. */
export function troublesOf(
  agent: AgentFacts,
  tokens: ReadonlyMap<string, TokenFacts>,
  nowMs: number,
): Trouble[] {
  const troubles: (Trouble | null)[] = [];
  if (agent.is_stale) {
    const since = formatDuration(Math.max(0, nowMs - agent.last_seen_ms));
    troubles.push({ kind: 'silent', word: 'silent', text: `Nothing has come for ${since}` });
  }
  const token = agent.token ? tokens.get(agent.token) : undefined;
  if (token && token.standing !== 'good') {
    const how = token.standing === 'expired' ? 'has expired' : 'was revoked';
    const text = `Its token ${token.id} ${how}; what it sees waits on its disk`;
    troubles.push({ kind: 'token', word: `token ${token.standing}`, text });
  }
  const lostMs = agent.last_lost_ms ?? null;
  if (lostMs !== null && nowMs - lostMs < lossNewsMs) {
    const text = `It lost something in the last 15 minutes (${plural(lostCount(agent), 'count')} in all)`;
    troubles.push({ kind: 'losses', word: 'losing', text });
  }
  troubles.push(clockTrouble(agent));
  if (agent.version_is === 'newer') {
    const text = 'It is newer than the server, which leaves out what it does not know';
    troubles.push({ kind: 'newer', word: 'newer', text });
  }
  return troubles.filter((trouble) => trouble !== null);
}

export const agentSorts = [
  'host',
  'cluster',
  'zone',
  'version',
  'last_seen',
  'clock',
  'rows',
  'lost',
  'token',
] as const;
export type AgentSort = (typeof agentSorts)[number];

function sortValue(agent: AgentFacts, by: AgentSort): string | number | null {
  switch (by) {
    case 'host':
      return agent.host ?? agent.agent;
    case 'last_seen':
      return agent.last_seen_ms;
    case 'clock':
      return agent.clock_ahead_ms === null || agent.clock_ahead_ms === undefined
        ? null
        : Math.abs(agent.clock_ahead_ms);
    case 'lost':
      return lostCount(agent);
    case 'rows':
      return agent.rows;
    default:
      return agent[by] ?? null;
  }
}

const words = new Intl.Collator('en', { numeric: true });

function compareValues(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return words.compare(String(a), String(b));
}

/** In the order of `sort`, `-` in front for largest first; what has no value stands at the end. */
export function sortAgents<A extends AgentFacts>(agents: readonly A[], sort: string): A[] {
  const descending = sort.startsWith('-');
  const name = descending ? sort.slice(1) : sort;
  const by = agentSorts.find((known) => known === name) ?? 'host';
  return [...agents].sort((a, b) => {
    const [left, right] = [sortValue(a, by), sortValue(b, by)];
    if (left === null || right === null) {
      if (left !== right) return left === null ? 1 : -1;
    } else {
      const order = compareValues(left, right);
      if (order !== 0) return descending ? -order : order;
    }
    return words.compare(a.agent, b.agent);
  });
}

/** Agents that have every word of the text somewhere in what the list shows of them. */
export function findAgents<A extends AgentFacts>(agents: readonly A[], text: string): A[] {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return [...agents];
  return agents.filter((agent) => {
    const { host, cluster, zone, region, provider, instance_type, version, token } = agent;
    const shown = [
      host,
      agent.agent,
      cluster,
      zone,
      region,
      provider,
      instance_type,
      version,
      token,
    ]
      .map((part) => part ?? '')
      .join('\n')
      .toLowerCase();
    return wanted.every((word) => shown.includes(word));
  });
}
