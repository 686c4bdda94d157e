import { describe, expect, it } from 'vitest';
import { entityClauses, entityQualifier, type Entity, type Level } from './entity';
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
