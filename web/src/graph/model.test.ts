import { describe, expect, it } from 'vitest';
import { everything, amongNodes, both, touched } from './emphasis';
import { buildModel, edgeKey } from './model';
import { buildScene } from './scene';
import { answer, key, model } from './testing';

describe('buildModel', () => {
  it('does not depend on the order of the answer', () => {
    const there = answer('b>c a>b c>c');
    const back = { ...there, nodes: [...there.nodes].reverse() };
    expect(buildModel(back).nodes.map((n) => n.key)).toEqual(
      buildModel(there).nodes.map((n) => n.key),
    );
  });

  it('knows who calls whom, self calls included', () => {
    const { byKey, edges } = model('a>b b>b');
    const b = byKey.get(key('b'));
    expect(b?.in.map((i) => edges[i]?.client)).toEqual([key('a'), key('b')]);
    expect(edges.map((edge) => edge.isSelf)).toEqual([false, true]);
  });

  it('takes sizes from the node and widths from the edge', () => {
    const given = answer('a>b', () => ({ bytes_sent: 7, bytes_received: 11 }));
    const nodes = given.nodes.map((node) => ({
      ...node,
      metrics: { bytes_sent: 1, bytes_received: 2 },
    }));
    const built = buildModel({ ...given, nodes });
    expect(built.nodes[0]).toMatchObject({ inbound: 2, traffic: 3 });
    expect(built.edges[0]).toMatchObject({ sent: 7, received: 11 });
  });

  it('of requests: both follow them, and nothing comes back', () => {
    const metrics = { requests: 7, bytes_received: 11 };
    const given = answer('a>b', () => metrics);
    const nodes = given.nodes.map((node) => ({ ...node, metrics: { requests: 9 } }));
    const built = buildModel({ ...given, nodes }, 'l7');
    expect(built.nodes[0]).toMatchObject({ inbound: 9, traffic: 9 });
    expect(built.edges[0]).toMatchObject({ sent: 7, received: 0 });
    const fill = { metric: 'requests', bounds: null };
    expect(buildScene(built, {}, fill, () => false).lines.map((line) => line.hasArrow)).toEqual([
      true,
    ]);
  });

  it('leaves out an edge whose end is not among the nodes', () => {
    const given = answer('a>b');
    expect(buildModel({ ...given, nodes: given.nodes.slice(0, 1) }).edges).toEqual([]);
  });

  it.each([
    ['a>*x', '*x', 'destination'],
    ['*x>a', '*x', 'source'],
    ['*x>a a>*x', '*x', 'destination'],
    ['a>b', 'a', 'inside'],
  ])('in %s, %s is %s', (edges, name, side) => {
    expect(model(edges).byKey.get(key(name))?.side).toBe(side);
  });
});

describe('emphasis', () => {
  const map = model('a>b b>c d>d');
  const keys = (set: ReadonlySet<string> | null) => [...(set ?? [])].sort();

  it('touches a node, its neighbours and the edges between', () => {
    const near = touched(map, { kind: 'node', key: key('b') });
    expect(keys(near.nodes)).toEqual([key('a'), key('b'), key('c')]);
    expect(keys(near.edges)).toEqual([edgeKey(key('a'), key('b')), edgeKey(key('b'), key('c'))]);
  });

  it('touches an edge and its ends', () => {
    const edge = edgeKey(key('d'), key('d'));
    expect(touched(map, { kind: 'edge', key: edge })).toEqual({
      nodes: new Set([key('d')]),
      edges: new Set([edge]),
    });
  });

  it('touches everything when what was pointed at is gone', () => {
    expect(touched(map, { kind: 'node', key: 'process:box/gone' })).toBe(everything);
    expect(touched(map, null)).toBe(everything);
  });

  it('joins two by what both name', () => {
    const found = amongNodes(map, new Set([key('a')]));
    const joined = both(found, touched(map, { kind: 'node', key: key('b') }));
    expect(keys(joined.nodes)).toEqual([key('a')]);
    expect(both(found, everything)).toEqual(found);
  });
});
