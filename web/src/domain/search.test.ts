import { describe, expect, it } from 'vitest';
import { decodeDetails, encodeDetails, type Details } from './details';
import {
  decodeSearch,
  parseSearch,
  sharedSearch,
  stringifySearch,
  type ViewSearch,
} from './search';

describe('the address bar', () => {
  it.each<ViewSearch>([
    {},
    { from: 'now-2h', to: 'now-1h', level: 'host', perspective: 'client' },
    { filter: 'server_port:443 -client_process:"two words" a:(b OR c)', sort: '-bytes_sent' },
    { every: 0, compare: 'previous', by: 'ip', depth: 2 },
    { layer: 'l7', list: 'groups', details: 'host:a', details_layer: 'dns' },
    { details: 'process:web/a%7Cb|external:2001:db8::1' },
  ])('%j survives the way there and back', (search) => {
    expect(decodeSearch(parseSearch(stringifySearch({ ...search })))).toEqual(search);
  });

  it('reads as the API’s own parameters', () => {
    expect(stringifySearch({ from: 'now-15m', filter: 'server_port:443' })).toBe(
      '?from=now-15m&filter=server_port:443',
    );
  });

  it.each([
    [{ level: 'galaxy', perspective: 'mine', from: 'soon', every: '7', depth: '99', other: 'x' }],
    [{ level: '', filter: '', every: '-1', depth: '1e9' }],
    [{ from: ['a'], every: {}, compare: 3 }],
  ])('leaves what it does not understand: %j', (raw) => expect(decodeSearch(raw)).toEqual({}));

  it('other pages get the question and nothing of the page', () => {
    const search: ViewSearch = {
      from: 'now-1h',
      level: 'host',
      layer: 'l7',
      filter: 'a:b',
      list: 'groups',
      sort: 'client',
      details: 'host:a',
      every: 30,
    };
    expect(sharedSearch(search)).toEqual({
      from: 'now-1h',
      level: 'host',
      layer: 'l7',
      filter: 'a:b',
    });
  });
});

describe('details', () => {
  const cases: Details[] = [
    { kind: 'entity', entity: { kind: 'host', id: 'web-1' } },
    { kind: 'entity', entity: { kind: 'external', id: '2001:db8::1' } },
    { kind: 'entity', entity: { kind: 'process', id: 'web/kworker/0:1|50%' } },
    {
      kind: 'pair',
      client: { kind: 'process', id: 'a/curl' },
      server: { kind: 'external', id: 'example.com' },
    },
  ];
  it.each(cases)('%j survives the way there and back', (details) => {
    expect(decodeDetails(encodeDetails(details))).toEqual(details);
  });
  it.each(['', 'host', 'host:', 'planet:earth', 'host:a|', 'host:a|host:b|host:c'])(
    '%j names nothing',
    (text) => {
      expect(decodeDetails(text)).toBeNull();
    },
  );
});
