import { describe, expect, it } from 'vitest';
import { entityOfRef } from './entity';
import { entityValues, fillLinks, requestValues } from './links';

const time = { fromMs: 1000, toMs: 2000 };
const cart = entityOfRef({ kind: 'pod', id: 'eu/shop/cart-1' });

describe('links elsewhere', () => {
  const check = (url: string, values = entityValues(cart, { node: 'node-a' }, time)) =>
    fillLinks([{ name: 'Link', url }], values).map(({ href }) => href);

  it.each([
    [
      'https://l/{namespace}/{pod}?from={from_ms}&to={to_ms}',
      'https://l/shop/cart-1?from=1000&to=2000',
    ],
    ['https://l/?q={kind}:{name}@{host}/{cluster}', 'https://l/?q=pod:cart-1@node-a/eu'],
    ['https://l/', 'https://l/'],
  ])('%s becomes %s', (url, href) => expect(check(url)).toEqual([href]));

  it('values cannot leave their place', () => {
    const odd = { ...cart, name: 'a/../b?c=d&e#f "g"' };
    expect(check('https://l/{name}', entityValues(odd, {}, time))).toEqual([
      'https://l/a%2F..%2Fb%3Fc%3Dd%26e%23f%20%22g%22',
    ]);
  });

  it('show only where all that they name is known', () => {
    expect(check('https://l/{trace_id}')).toEqual([]);
    expect(check('https://l/{host}', entityValues(cart, {}, time))).toEqual([]);
    const host = entityOfRef({ kind: 'host', id: 'node-a' });
    expect(check('https://l/{pod}', entityValues(host, {}, time))).toEqual([]);
    expect(check('https://l/{host}', entityValues(host, {}, time))).toEqual(['https://l/node-a']);
  });

  it('of a request lead to its trace', () => {
    const values = requestValues({ trace_id: 'a1', server_pod: 'cart-1' }, cart, 1_000_000);
    expect(check('https://t/{trace_id}?pod={pod}&from={from_ms}', values)).toEqual([
      'https://t/a1?pod=cart-1&from=700000',
    ]);
    const untraced = requestValues({ server_pod: 'cart-1' }, cart, 0);
    expect(check('https://t/{trace_id}', untraced)).toEqual([]);
  });
});
