import { describe, expect, it } from 'vitest';
import { key, layoutInput, numbers } from '../testing';
import { spread } from './columns';
import { isIslands, layeredNodesMax, layOut } from './layout';
import { acyclicOrder, assignRanks } from './ranks';
import { keepKnown, type KnownPositions } from './stable';
import type { LayoutInput, Positions } from './types';

function closest(positions: Positions): number {
  const points = Object.values(positions);
  let least = Infinity;
  for (let i = 0; i < points.length; i += 1) {
    for (let j = i + 1; j < points.length; j += 1) {
      const [a, b] = [points[i], points[j]];
      if (a && b) least = Math.min(least, Math.hypot(a.x - b.x, a.y - b.y));
    }
  }
  return least;
}

function random(nodeCount: number, edgeCount: number, groupCount: number): LayoutInput {
  const next = numbers(7);
  const nodes = Array.from({ length: nodeCount }, (_, i) => ({
    key: `n${i}`,
    side: i % 6 === 5 ? ('destination' as const) : ('inside' as const),
    group: groupCount > 0 ? `g${i % groupCount}` : null,
    weight: Math.floor(next() * 1e6),
  }));
  const edges = Array.from({ length: edgeCount }, () => ({
    client: `n${Math.floor(next() * nodeCount)}`,
    server: `n${Math.floor(next() * nodeCount)}`,
    weight: next() * 1000,
  }));
  return { nodes, edges, isGrouped: false };
}

const fresh = (input: LayoutInput) => layOut({ ...input, known: {} });

describe('layered layout', () => {
  it('puts callers left of those they call, and the outside at the far right', () => {
    const at = fresh(layoutInput('client>nginx nginx>app app>db app>*example.com cron>db'));
    const x = (name: string) => at[key(name)]?.x ?? NaN;
    expect(x('client')).toBeLessThan(x('nginx'));
    expect(x('nginx')).toBeLessThan(x('app'));
    expect(x('app')).toBeLessThan(x('db'));
    expect(x('cron')).toBeLessThan(x('db'));
    expect(x('*example.com')).toBeGreaterThan(x('db'));
  });

  it('puts outside callers at the far left', () => {
    const at = fresh(layoutInput('*visitor>nginx cron>nginx'));
    expect(at[key('*visitor')]?.x).toBeLessThan(at[key('cron')]?.x ?? NaN);
  });

  it('lines up destinations of separate parts', () => {
    const at = fresh(layoutInput('a>b b>*x c>*y'));
    expect(at[key('*x')]?.x).toBe(at[key('*y')]?.x);
  });

  it('folds a long rank into columns', () => {
    const at = fresh(layoutInput(Array.from({ length: 60 }, (_, i) => `a>*d${i}`).join(' ')));
    const xs = Object.values(at).map((p) => p.x);
    const ys = Object.values(at).map((p) => p.y);
    const ratio = (Math.max(...ys) - Math.min(...ys)) / (Math.max(...xs) - Math.min(...xs));
    expect(ratio).toBeLessThan(1.6);
  });

  it('copes with cycles and self calls', () => {
    const at = fresh(layoutInput('a>b b>c c>a a>a'));
    expect(Object.keys(at)).toHaveLength(3);
    expect(closest(at)).toBeGreaterThan(60);
  });

  it('is the same whatever the order of nodes and edges', () => {
    const input = random(90, 160, 0);
    const { nodes, edges } = input;
    const turned = { ...input, nodes: [...nodes].reverse(), edges: [...edges].reverse() };
    expect(fresh(turned)).toEqual(fresh(input));
  });
});

describe.each([
  { name: 'a few', input: random(12, 20, 0) },
  { name: 'a hundred', input: random(100, 180, 0) },
  { name: 'groups', input: random(300, 500, 6) },
  { name: 'many without groups', input: random(900, 1500, 0) },
])('every layout: $name', ({ input }) => {
  const at = fresh(input);

  it('places every node at a number', () => {
    expect(Object.keys(at)).toHaveLength(input.nodes.length);
    expect(Object.values(at).every((p) => Number.isFinite(p.x) && Number.isFinite(p.y))).toBe(true);
  });

  it('keeps nodes apart', () => {
    expect(closest(at)).toBeGreaterThan(40);
  });

  it('is the same every time', () => {
    expect(fresh(input)).toEqual(at);
  });

  it('moves nothing when all is known', () => {
    const known = Object.fromEntries(
      Object.entries(at).map(([k, p]) => [k, { ...p, pinned: false }]),
    );
    expect(layOut({ ...input, known })).toEqual(at);
  });
});

describe('islands', () => {
  it.each([
    ['of many nodes', random(300, 500, 6)],
    ['that were asked for', { ...random(20, 40, 3), isGrouped: true }],
  ])('keep groups %s apart', (_, input) => {
    expect(isIslands(input)).toBe(true);
    const at = fresh(input);
    const inside = input.nodes.filter((node) => node.side === 'inside');
    const groups = [...new Set(inside.map((node) => node.group))];
    const discs = groups.map((group) => {
      const points = inside
        .filter((n) => n.group === group)
        .map((n) => at[n.key] ?? { x: 0, y: 0 });
      const x = points.reduce((sum, p) => sum + p.x, 0) / points.length;
      const y = points.reduce((sum, p) => sum + p.y, 0) / points.length;
      return { x, y, radius: Math.max(...points.map((p) => Math.hypot(p.x - x, p.y - y))) };
    });
    for (const [i, a] of discs.entries()) {
      for (const b of discs.slice(i + 1)) {
        expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThan(a.radius + b.radius);
      }
    }
  });

  it('are not made of few nodes unasked, nor where nothing is in a group', () => {
    expect(isIslands(random(20, 40, 3))).toBe(false);
    expect(isIslands({ ...random(20, 40, 0), isGrouped: true })).toBe(false);
  });

  it('are made of communities where there are no groups', () => {
    expect(isIslands(random(layeredNodesMax + 1, 500, 0))).toBe(true);
    expect(isIslands(random(layeredNodesMax, 500, 0))).toBe(false);
  });

  it('lay out 5,000 nodes and 20,000 edges', () => {
    expect(Object.keys(fresh(random(5000, 20_000, 60)))).toHaveLength(5000);
  });
});

describe('keepKnown', () => {
  const before = layoutInput('a>b b>c c>d');
  const known: KnownPositions = Object.fromEntries(
    Object.entries(fresh(before)).map(([k, p]) => [k, { x: p.x + 40, y: p.y - 15, pinned: false }]),
  );

  it('moves nothing that was there, and finds a free place for what is new', () => {
    const after = layoutInput('a>b b>c c>d b>new');
    const at = keepKnown(after, fresh(after), known);
    for (const [k, place] of Object.entries(known)) {
      expect(at[k]).toEqual({ x: place.x, y: place.y });
    }
    expect(at[key('new')]?.x).toBeGreaterThan(at[key('b')]?.x ?? NaN);
    expect(closest(at)).toBeGreaterThan(60);
  });

  it('starts afresh when little is known, but leaves what a person placed', () => {
    const other = layoutInput('p>q q>r r>s a>p');
    const pinned = {
      [key('a')]: { x: 5000, y: 77, pinned: true },
      [key('p')]: { x: 9, y: 9, pinned: false },
    };
    const layout = fresh(other);
    const at = keepKnown(other, layout, pinned);
    expect(at[key('a')]).toEqual({ x: 5000, y: 77 });
    expect(at[key('p')]).toEqual(layout[key('p')]);
  });
});

describe('ranks', () => {
  const graph = (count: number, pairs: [number, number, number][]) => ({
    count,
    edges: pairs.map(([from, to, weight]) => ({ from, to, weight })),
  });

  it('breaks a cycle at its lightest edge', () => {
    const order = acyclicOrder(
      graph(3, [
        [0, 1, 9],
        [1, 2, 9],
        [2, 0, 1],
      ]),
    );
    expect(order).toEqual([0, 1, 2]);
  });

  it('moves a caller next to what it calls', () => {
    expect(
      assignRanks(
        graph(4, [
          [0, 1, 1],
          [1, 2, 1],
          [3, 2, 1],
        ]),
      ),
    ).toEqual([0, 1, 2, 1]);
  });
});

describe('spread', () => {
  it.each([
    { wanted: [0, 100, 200], gap: 50, got: [0, 100, 200] },
    { wanted: [100, 100, 100], gap: 50, got: [50, 100, 150] },
    { wanted: [200, 0], gap: 50, got: [75, 125] },
    { wanted: [], gap: 50, got: [] },
  ])('$wanted by $gap', ({ wanted, gap, got }) => {
    expect(spread(wanted, gap)).toEqual(got);
  });
});
