import { describe, expect, it } from 'vitest';
import { entityClauses, entityOfRef, entityQualifier, type Entity, type Level } from './entity';
import { toCsv, exportName } from './table';

describe('clauses of an entity', () => {
  const check = (entity: Entity, level: Level = 'process') =>
    entityClauses(entity, 'client', level).join(' ');

  it.each<[Entity, Level, string]>([
    [
      { kind: 'process', id: 'web/nginx', name: 'nginx', host: 'web' },
      'process',
      'client_host:web client_process:nginx',
    ],
    [
      { kind: 'process', id: 'web/kworker/0:1', name: 'kworker/0:1' },
      'process',
      'client_host:web client_process:"kworker/0:1"',
    ],
    [{ kind: 'host', id: 'web', name: 'web' }, 'host', 'client_host:web'],
    [{ kind: 'host', id: 'web', name: 'web' }, 'process', 'client_host:web -client_process:*'],
    [
      { kind: 'host', id: 'web', name: 'web' },
      'service',
      'client_host:web -client_service:* -client_deployment:*',
    ],
    [
      { kind: 'external', id: 'example.com', name: 'example.com' },
      'pod',
      'client_domain:example.com -client_pod:* -client_host:* -client_service:*',
    ],
    [
      { kind: 'service', id: 'shop/cart', name: 'cart', namespace: 'shop' },
      'deployment',
      'client_service:cart client_namespace:shop -client_deployment:* -client_host:*',
    ],
    [
      { kind: 'service', id: 'shop/cart', name: 'cart', namespace: 'shop' },
      'service',
      'client_service:cart client_namespace:shop',
    ],
    [
      { kind: 'workload', id: 'eu/shop/cart', name: 'cart', namespace: 'shop', cluster: 'eu' },
      'service',
      'client_deployment:cart client_namespace:shop client_cluster:eu -client_service:*',
    ],
    [
      { kind: 'external', id: 'example.com', name: 'example.com' },
      'host',
      'client_domain:example.com -client_host:*',
    ],
    [{ kind: 'external', id: '::1', name: '::1' }, 'host', 'client_ip:"::1" -client_host:*'],
    [
      { kind: 'pod', id: 'shop/cart', name: 'cart', namespace: 'shop' },
      'pod',
      'client_pod:cart client_namespace:shop',
    ],
  ])('%j at level %s', (entity, level, text) => expect(check(entity, level)).toBe(text));

  it('of either end say nothing about what both lack', () => {
    expect(entityClauses({ kind: 'host', id: 'web', name: 'web' }, 'either', 'process')).toEqual([
      'host:web',
    ]);
  });

  it('a process is qualified by its host', () => {
    expect(entityQualifier({ kind: 'process', id: 'web/nginx', name: 'nginx' })).toBe('web');
    expect(entityQualifier({ kind: 'host', id: 'web', name: 'web' })).toBeNull();
  });

  it('what is in a cluster is qualified by its namespace, and its cluster where there are several', () => {
    const cart = entityOfRef({ kind: 'pod', id: 'eu/shop/cart-1' });
    expect(entityQualifier(cart)).toBe('shop · eu');
    expect(entityQualifier(cart, false)).toBe('shop');
  });

  it.each<[Parameters<typeof entityOfRef>[0], Partial<Entity>]>([
    [
      { kind: 'process', id: 'web/kworker/0:1' },
      { name: 'kworker/0:1', host: 'web' },
    ],
    [
      { kind: 'pod', id: 'eu/shop/cart-1' },
      { name: 'cart-1', namespace: 'shop', cluster: 'eu' },
    ],
    [
      { kind: 'service', id: 'shop/cart' },
      { name: 'cart', namespace: 'shop' },
    ],
    [
      { kind: 'workload', id: 'web/nginx.service' },
      { name: 'nginx.service', host: 'web' },
    ],
    [{ kind: 'external', id: 'example.com' }, { name: 'example.com' }],
  ])('%j is named by its reference', (ref, expected) =>
    expect(entityOfRef(ref)).toEqual({ ...ref, ...expected }),
  );
});

describe('tables as text', () => {
  it('quote what needs it and disarm formulas', () => {
    const csv = toCsv(
      ['a', 'b'],
      [
        ['x,y', 1],
        ['say "hi"', null],
        ['=1+1', -2],
      ],
    );
    expect(csv).toBe('a,b\r\n"x,y",1\r\n"say ""hi""",\r\n\'=1+1,-2\r\n');
  });
  it('have a name that sorts', () => {
    expect(exportName('flows', Date.parse('2026-11-21T10:00:00.123Z'), 'csv')).toBe(
      'weir-flows-2026-11-21T10-00-00Z.csv',
    );
  });
});
