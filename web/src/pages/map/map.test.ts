import { describe, expect, it } from 'vitest';
import { everything } from '../../graph/emphasis';
import { key, model } from '../../graph/testing';
import { listRows, type ListSort } from './listing';
import { parseQuantity } from './quantity';

describe('parseQuantity', () => {
  it.each([
    ['1.2 ms', 'microseconds', 1200],
    ['300us', 'microseconds', 300],
    ['40 µs', 'microseconds', 40],
    ['2 s', 'microseconds', 2_000_000],
    ['4 MB', 'bytes', 4_000_000],
    ['512', 'bytes', 512],
    ['1,500', 'count', 1500],
    ['12k', 'count', 12_000],
    ['12 %', 'ratio', 0.12],
    ['0.5', 'ratio', 0.005],
    ['12 ms', 'ratio', null],
    ['1.5 k/s', 'per_second', 1500],
    ['20/s', 'per_second', 20],
    ['20', 'per_second', 20],
    ['20 %', 'count', null],
    ['3/s', 'bytes', null],
    ['3 ms', 'bytes', null],
    ['', 'count', null],
    ['-4', 'count', null],
    ['fast', 'microseconds', null],
  ] as const)('%j of %s is %s', (text, unit, value) => {
    expect(parseQuantity(text, unit)).toBe(value);
  });
});

describe('listRows', () => {
  const bytes: Record<string, number> = { 'a>b': 10, 'b>c': 1000, 'a>c': 100 };
  const map = model('a>b b>c a>c', (edge) => ({
    bytes_sent: bytes[edge] ?? 0,
    rtt_us: edge === 'a>b' ? 9 : null,
  }));
  const list = (kind: 'nodes' | 'paths', sort: ListSort, query = '', matched = everything) =>
    listRows(map, matched, { kind, sort, query, fill: 'rtt_us' }).map((row) =>
      row.kind === 'node'
        ? row.node.entity.name
        : `${row.client.entity.name}>${row.server.entity.name}`,
    );

  it('sorts paths by traffic, by value and by name', () => {
    expect(list('paths', 'traffic')).toEqual(['b>c', 'a>c', 'a>b']);
    expect(list('paths', 'value')).toEqual(['a>b', 'a>c', 'b>c']);
    expect(list('paths', 'name')).toEqual(['a>b', 'a>c', 'b>c']);
  });

  it('has the paths of the nodes that a search finds', () => {
    expect(list('nodes', 'name', 'b')).toEqual(['b', 'a', 'c']);
    expect(list('nodes', 'name', 'zz')).toEqual([]);
  });

  it('puts what the filter leaves out last', () => {
    const matched = { nodes: new Set([key('c')]), edges: new Set<string>() };
    expect(list('nodes', 'name', '', matched)).toEqual(['c', 'a', 'b']);
  });
});
