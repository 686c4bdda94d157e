import { describe, expect, it } from 'vitest';
import { applySuggestion, placeOfCaret, suggestKeys, suggestValues } from './completion';
import {
  addClauses,
  filterForValues,
  readChips,
  readChoice,
  removeChip,
  setMark,
  writeChoice,
} from './filterEdit';
import { quoteValue, splitClauses, tokenize, unquoteValue } from './filterText';

const kinds = (text: string) =>
  tokenize(text)
    .filter((token) => token.kind !== 'space')
    .map((token) => `${token.kind}=${token.text}`)
    .join(' ');

describe('cutting up', () => {
  it.each([
    ['server_port:443', 'key=server_port colon=: value=443'],
    ['-client_process:curl', 'minus=- key=client_process colon=: value=curl'],
    ['a AND b OR NOT c', 'word=a operator=AND word=b operator=OR operator=NOT word=c'],
    ['rtt_us:[1ms - 5ms]', 'key=rtt_us colon=: bracket=[ word=1ms word=- word=5ms bracket=]'],
    ['bytes_sent>=1MB', 'key=bytes_sent colon=>= value=1MB'],
    ['ip:fd00::/8', 'key=ip colon=: value=fd00::/8'],
    ['"two words"', 'phrase="two words"'],
    ['process:"a \\"b"', 'key=process colon=: phrase="a \\"b"'],
    ['process:"open', 'key=process colon=: phrase="open'],
    ['host:web-1', 'key=host colon=: value=web-1'],
  ])('%s', (text, tokens) => expect(kinds(text)).toBe(tokens));

  it.each(['', '  a:b  (c OR d) "x y" -e:*', 'a:[1 - 2', ')]("', 'k:((a', 'ä:ö "'])(
    'every character of %j belongs to one token',
    (text) => {
      const tokens = tokenize(text);
      expect(tokens.map((token) => token.text).join('')).toBe(text);
      tokens.forEach((token, index) => expect(token.start).toBe(tokens[index - 1]?.end ?? 0));
    },
  );

  it('brackets and quotes hold a part together', () => {
    const parts = splitClauses('a:(x OR y) rtt_us:[1 - 2] "q r" (b OR c)').map(({ text }) => text);
    expect(parts).toEqual(['a:(x OR y)', 'rtt_us:[1 - 2]', '"q r"', '(b OR c)']);
  });
});

describe('quoting', () => {
  it.each([
    'curl',
    '10.0.0.1',
    '::1',
    'two words',
    'a"b',
    'back\\slash',
    'OR',
    '*',
    'a:b',
    '-x',
    '',
  ])('%j comes back as it was', (value) => expect(unquoteValue(quoteValue(value))).toBe(value));
  it('only where it is needed', () => {
    expect(quoteValue('web-1.example.com')).toBe('web-1.example.com');
    expect(quoteValue('::1')).toBe('"::1"');
    expect(quoteValue('AND')).toBe('"AND"');
  });
});

describe('check marks', () => {
  it.each([
    ['transport:tcp', ['tcp'], []],
    ['transport:(tcp OR udp) x', ['tcp', 'udp'], []],
    ['-transport:tcp -transport:udp', [], ['tcp', 'udp']],
    ['-transport:(tcp OR udp)', [], ['tcp', 'udp']],
    ['-transport:*', [null], []],
    ['transport:"a b"', ['a b'], []],
    ['transport:t*', [], []],
    ['transport:tcp OR pid:1', [], []],
    ['NOT transport:tcp', [], []],
    ['other:tcp', [], []],
  ])('%s', (text, include, exclude) => {
    expect(readChoice(text, 'transport')).toEqual({ include, exclude });
  });

  it.each([
    ['', 'curl', 'include', 'process:curl'],
    ['process:curl', 'nginx', 'include', 'process:(curl OR nginx)'],
    ['process:(curl OR nginx)', 'curl', 'none', 'process:nginx'],
    ['process:curl', 'curl', 'exclude', '-process:curl'],
    ['-process:curl', 'curl', 'none', ''],
    ['pid:1 process:curl host:a', 'nginx', 'include', 'pid:1 process:(curl OR nginx) host:a'],
    ['pid:1 AND process:curl', 'curl', 'none', 'pid:1'],
    ['process:curl AND pid:1', 'curl', 'none', 'pid:1'],
    ['pid:1 OR pid:2', 'curl', 'include', '(pid:1 OR pid:2) process:curl'],
    ['process:cu*', 'nginx', 'include', 'process:cu* process:nginx'],
    ['', 'two words', 'include', 'process:"two words"'],
    ['', null, 'include', '-process:*'],
    ['', null, 'exclude', 'process:*'],
    ['process:curl', null, 'include', '(process:curl OR -process:*)'],
  ] as const)('%j with %j %s', (text, value, mark, result) => {
    expect(setMark(text, 'process', value, mark)).toBe(result);
  });

  it('what one click does another takes back', () => {
    const start = 'host:a rtt_us:[1 - 2] "free text"';
    const edited = setMark(start, 'process', 'x y', 'include');
    expect(setMark(edited, 'process', 'x y', 'none')).toBe(start);
  });

  it('a whole choice can be taken away', () => {
    const text = 'direction:outgoing transport:tcp';
    expect(writeChoice(text, 'direction', { include: [], exclude: [] })).toBe('transport:tcp');
  });
});

describe('values of a row', () => {
  it.each([
    ['', { method: 'GET', path: '/a b' }, 'method:GET path:"/a b"'],
    ['method:(GET OR PUT) host:a', { method: 'PUT' }, 'method:PUT host:a'],
    ['host:a', { method: null }, 'host:a -method:*'],
  ])('%j and %j', (text, values, result) => expect(filterForValues(text, values)).toBe(result));
});

describe('chips', () => {
  it('one for each part', () => {
    expect(readChips('a:1 AND NOT b:2 "c d"').map(({ text }) => text)).toEqual([
      'a:1',
      'NOT b:2',
      '"c d"',
    ]);
  });
  it('one for all where OR joins them', () => {
    expect(readChips('a:1 OR b:2').map(({ text }) => text)).toEqual(['a:1 OR b:2']);
    expect(removeChip('a:1 OR b:2', 0)).toBe('');
  });
  it('can be removed', () => {
    const text = 'a:1 AND NOT b:2 c:3';
    const chip = readChips(text)[1];
    expect(removeChip(text, chip?.index ?? -1)).toBe('a:1 AND c:3');
  });
});

describe('adding a condition', () => {
  it.each([
    ['', ['a:1'], 'a:1'],
    ['a:1', ['a:1', 'b:2'], 'a:1 b:2'],
    ['a:1 OR b:2', ['c:3'], '(a:1 OR b:2) c:3'],
  ])('%j and %j', (text, clauses, result) => expect(addClauses(text, clauses)).toBe(result));
});

describe('completion', () => {
  const place = (marked: string) => placeOfCaret(marked.replace('|', ''), marked.indexOf('|'));

  it.each([
    ['|', { kind: 'key', prefix: '', start: 0, end: 0 }],
    ['serv|', { kind: 'key', prefix: 'serv', start: 0, end: 4 }],
    ['-cli|', { kind: 'key', prefix: 'cli', start: 1, end: 4 }],
    ['host:|', { kind: 'value', key: 'host', prefix: '', start: 5, end: 5 }],
    ['host:we|b', { kind: 'value', key: 'host', prefix: 'we', start: 5, end: 8 }],
    ['host:(a OR |', { kind: 'value', key: 'host', prefix: '', start: 11, end: 11 }],
    ['host:(a OR b|', { kind: 'value', key: 'host', prefix: 'b', start: 11, end: 12 }],
    ['host:(a) p|', { kind: 'key', prefix: 'p', start: 9, end: 10 }],
    ['host:"a b|', { kind: 'value', key: 'host', prefix: 'a b', start: 5, end: 9 }],
  ])('at %s', (marked, expected) => expect(place(marked)).toEqual(expected));

  it('offers fields that begin with the text first', () => {
    const labels = suggestKeys('l4', 'sums', 'server_po', 5).map(({ label }) => label);
    expect(labels[0]).toBe('server_port');
    expect(suggestKeys('l4', 'sums', 'port', 3)[0]?.label).toBe('port');
  });

  it('offers observed values, quoted where needed', () => {
    const values = [
      { value: 'two words', count: 3 },
      { value: 'curl', count: 2 },
    ];
    expect(suggestValues(values, 'two', 5)).toMatchObject([{ text: '"two words"' }]);
  });

  it('puts the choice in place', () => {
    const at = place('host:we| x');
    const applied = applySuggestion('host:we x', at, {
      text: 'web-1',
      label: '',
      hint: '',
      goesOn: false,
    });
    expect(applied).toEqual({ text: 'host:web-1 x', caret: 10 });
  });
});
