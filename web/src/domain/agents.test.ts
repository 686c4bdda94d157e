import { describe, expect, it } from 'vitest';
import { clockText, findAgents, sortAgents, troublesOf, type AgentFacts } from './agents';

const nowMs = 1_700_000_000_000;

function agent(changes: Partial<AgentFacts> = {}): AgentFacts {
  return {
    agent: 'a-1',
    host: 'web-1',
    last_seen_ms: nowMs - 4_000,
    is_stale: false,
    rows: 10,
    losses: [],
    ...changes,
  };
}

describe('what is wrong with an agent', () => {
  const tokens = new Map([
    ['1a', { id: '1a', standing: 'good' as const }],
    ['2b', { id: '2b', standing: 'expired' as const }],
  ]);
  const cases: [string, Partial<AgentFacts>, string[]][] = [
    ['nothing', {}, []],
    ['silence', { is_stale: true }, ['silent']],
    ['a good token', { token: '1a' }, []],
    ['an expired token', { token: '2b', is_stale: true }, ['silent', 'token']],
    ['a token of a file that is gone', { token: '9z' }, []],
    ['a loss just now', { last_lost_ms: nowMs - 60_000 }, ['losses']],
    ['a loss long ago', { last_lost_ms: nowMs - 16 * 60_000 }, []],
    ['a clock that is off', { clock_ahead_ms: 600_000, clock_corrected_ms: 600_000 }, ['clock']],
    ['a clock within the limit', { clock_ahead_ms: -5_000 }, []],
    ['a newer program', { version_is: 'newer' }, ['newer']],
    ['an older program', { version_is: 'older' }, []],
  ];
  it.each(cases)('%s', (_, changes, kinds) => {
    expect(troublesOf(agent(changes), tokens, nowMs).map(({ kind }) => kind)).toEqual(kinds);
  });

  it('says how far a clock is off and whether times are put right', () => {
    expect(clockText(600_000)).toBe('10 min ahead');
    expect(clockText(-7_000)).toBe('7 s behind');
    expect(clockText(4_999)).toBeNull();
    const text = (changes: Partial<AgentFacts>) =>
      troublesOf(agent(changes), new Map(), nowMs)[0]?.text;
    expect(text({ clock_ahead_ms: -9_000 })).toContain(
      '9 s behind; its times are taken as they are',
    );
    expect(text({ clock_ahead_ms: 601_000, clock_corrected_ms: 600_000 })).toContain(
      '10 min ahead; its times are put right',
    );
  });
});

describe('finding and ordering', () => {
  const list = [
    agent({ agent: 'a', host: 'web-10', cluster: 'east', rows: 3, clock_ahead_ms: -9_000 }),
    agent({ agent: 'b', host: 'web-9', cluster: 'west', zone: 'eu-1', rows: 30 }),
    agent({ agent: 'c', host: null, rows: 20, clock_ahead_ms: 4_000, version: '0.2.0' }),
  ];
  const ids = (found: AgentFacts[]) => found.map(({ agent: id }) => id).join('');

  it.each([
    ['host', 'cba'],
    ['-host', 'abc'],
    ['-rows', 'bca'],
    ['rows', 'acb'],
    ['-clock', 'acb'],
    ['clock', 'cab'],
    ['cluster', 'abc'],
    ['nonsense', 'cba'],
  ])('by %s', (sort, expected) => expect(ids(sortAgents(list, sort))).toBe(expected));

  it.each([
    ['', 'abc'],
    ['web', 'ab'],
    ['WEB eu-1', 'b'],
    ['east', 'a'],
    ['0.2', 'c'],
    ['web nothing', ''],
  ])('%j finds %s', (text, expected) => expect(ids(findAgents(list, text))).toBe(expected));
});
