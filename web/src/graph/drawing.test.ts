import { describe, expect, it } from 'vitest';
import { placeLabels, TakenBoxes, type Box, type LabelWish } from './labels';
import { controlPoint, curveMiddle, loop } from './render/curve';
import { LineHits } from './render/lineHits';
import { mixColors } from './render/theme';
import { lineWidth, logScale, nodeRadius } from './scale';
import { buildScene, fillValues, pairsWithTwoLinesMax, shortName } from './scene';
import { findNodes, fuzzyScore } from './search';
import { key, model, numbers } from './testing';

describe('logScale', () => {
  it('gives the ends to the smallest and the largest, equal steps to equal ratios', () => {
    const scale = logScale([1, 10, 100, 1000, 10_000], nodeRadius);
    const sizes = [1, 10, 100, 1000, 10_000].map(scale);
    expect(sizes[0]).toBe(nodeRadius.min);
    expect(sizes[4]).toBe(nodeRadius.max);
    expect((sizes[2] ?? 0) - (sizes[1] ?? 0)).toBeCloseTo((sizes[3] ?? 0) - (sizes[2] ?? 0), 6);
  });

  it('does not make much of small differences', () => {
    const scale = logScale([1000, 1100], lineWidth);
    expect(scale(1100) - scale(1000)).toBeLessThan((lineWidth.max - lineWidth.min) / 10);
  });

  it('has one size without traffic', () => {
    expect(logScale([0, 0], nodeRadius)(0)).toBe(nodeRadius.min);
  });
});

describe('fuzzyScore', () => {
  it.each([
    ['postgres', 'post', 'a beginning before a middle', 'compost'],
    ['my-nginx', 'ng', 'the beginning of a word before letters within', 'buying'],
    ['redis', 'red', 'a short name before a long one', 'redis-sentinel-exporter'],
  ])('%s fits %s: %s', (better, query, _why, worse) => {
    expect(fuzzyScore(better, query)).toBeGreaterThan(fuzzyScore(worse, query) ?? -Infinity);
  });

  it.each([
    ['nginx', 'xn'],
    ['nginx', 'nginxy'],
    ['a-very-long-unrelated-name', 'vrtm'],
  ])('%s does not fit %s', (text, query) => {
    expect(fuzzyScore(text, query)).toBeNull();
  });

  it('finds by place, after those found by name', () => {
    const map = model('boxer>curl');
    expect(findNodes(map.nodes, 'box').map((match) => match.node.entity.name)).toEqual([
      'boxer',
      'curl',
    ]);
  });
});

describe('buildScene', () => {
  const scene = (edges: string, sent = 100, received = 10_000) => {
    const map = model(edges, () => ({ bytes_sent: sent, bytes_received: received, rtt_us: 15 }));
    const fill = { metric: 'rtt_us', bounds: [0, 10, 20, 30, 40, 50] as const };
    return buildScene(map, {}, fill, (k) => k === key('b'));
  };

  it('draws a pair as two lines, the arrow at who was called', () => {
    const { lines } = scene('a>b');
    expect(lines.map(({ source, target, hasArrow }) => [source, target, hasArrow])).toEqual([
      [key('b'), key('a'), false],
      [key('a'), key('b'), true],
    ]);
    expect(lines[0]?.width).toBeGreaterThan(lines[1]?.width ?? NaN);
    expect(lines.map((line) => line.step)).toEqual([1, 1]);
  });

  it('bends two pairs between the same nodes differently', () => {
    const curves = new Set(scene('a>b b>a').lines.map((line) => line.curvature));
    expect(curves.size).toBe(2);
  });

  it('draws a self call once', () => {
    expect(scene('a>a').lines).toHaveLength(1);
  });

  it('marks what is new', () => {
    expect(scene('a>b').nodes.map((node) => [node.label, node.isNew])).toEqual([
      ['a', false],
      ['b', true],
    ]);
  });

  it('draws one line a pair when there are very many', () => {
    const edges = Array.from({ length: pairsWithTwoLinesMax + 1 }, (_, i) => `a>*d${i}`).join(' ');
    expect(scene(edges).lines).toHaveLength(pairsWithTwoLinesMax + 1);
  });

  it('has values of nodes and edges alike', () => {
    const map = model('a>b', () => ({ rtt_us: 15 }));
    expect(fillValues(map, 'rtt_us')).toEqual([null, null, 15]);
  });
});

describe('shortName', () => {
  it.each([
    ['nginx', 22, 'nginx'],
    ['ec2-52-28-115-7.eu-central-1.compute.amazonaws.com', 22, 'ec2-52-28-11…onaws.com'],
    ['abcdef', 5, 'abc…f'],
  ])('%s in %i', (name, max, short) => {
    expect(shortName(name, max)).toBe(short);
    expect(short.length).toBeLessThanOrEqual(max);
  });
});

describe('placeLabels', () => {
  const room: Box = { left: 0, top: 0, right: 1000, bottom: 800 };
  const overlap = (a: Box, b: Box) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

  it('never covers a label or a node, and stays in the room', () => {
    const next = numbers(3);
    const wishes = Array.from({ length: 300 }, (_, i): LabelWish => ({
      id: String(i),
      x: next() * 1000,
      y: next() * 800,
      radius: 8,
      width: 40 + next() * 100,
      height: 16,
    }));
    const taken = new TakenBoxes();
    const nodes = wishes.map(({ x, y }) => ({
      left: x - 5,
      top: y - 5,
      right: x + 5,
      bottom: y + 5,
    }));
    nodes.forEach((box) => taken.add(box));
    const boxes = placeLabels(wishes, taken, room).map((label) => label.box);
    expect(boxes.length).toBeGreaterThan(40);
    for (const [i, box] of boxes.entries()) {
      expect(box.left >= 0 && box.right <= 1000 && box.top >= 0 && box.bottom <= 800).toBe(true);
      expect([...boxes.slice(i + 1), ...nodes].filter((other) => overlap(box, other))).toEqual([]);
    }
  });

  it('prefers below, then above', () => {
    const wish = { id: 'a', x: 100, y: 100, radius: 10, width: 40, height: 16 };
    const taken = new TakenBoxes();
    const [below] = placeLabels([wish], taken, room);
    const [above] = placeLabels([{ ...wish, id: 'b' }], taken, room);
    expect(below?.box.top).toBeGreaterThan(110);
    expect(above?.box.bottom).toBeLessThan(90);
  });
});

describe('lines', () => {
  const [from, to] = [
    { x: 0, y: 0 },
    { x: 100, y: 0 },
  ];

  it('bend to the left of their way', () => {
    expect(controlPoint(from, to, 0.2).y).toBeLessThan(0);
    expect(controlPoint(to, from, 0.2).y).toBeGreaterThan(0);
  });

  it('are found on the curve, not on the straight way', () => {
    const hits = new LineHits([{ key: 'ab', from, to, curvature: 0.3 }]);
    expect(hits.at(curveMiddle(from, to, 0.3), 3, () => null)).toBe('ab');
    expect(hits.at({ x: 50, y: 0 }, 3, () => null)).toBeNull();
  });

  it('give the nearest of two', () => {
    const hits = new LineHits([
      { key: 'ab', from, to, curvature: 0.1 },
      { key: 'ba', from: to, to: from, curvature: 0.1 },
    ]);
    expect(hits.at({ x: 50, y: -9 }, 30, () => null)).toBe('ab');
    expect(hits.at({ x: 50, y: 9 }, 30, () => null)).toBe('ba');
  });

  it('are found as a loop above their node', () => {
    const hits = new LineHits([{ key: 'aa', from, to: from, curvature: 0.1 }]);
    const place = { centre: { x: 0, y: -20 * loop.rise }, radius: 20 * loop.radius };
    expect(hits.at({ x: place.radius, y: place.centre.y }, 3, () => place)).toBe('aa');
    expect(hits.at({ x: 0, y: place.centre.y }, 3, () => place)).toBeNull();
  });
});

describe('mixColors', () => {
  it.each([
    ['#000000', '#ffffff', 0.5, '#808080'],
    ['#102030', '#ffffff', 0, '#102030'],
    ['#102030', '#ffffff', 1, '#ffffff'],
  ])('%s to %s by %s', (a, b, share, mixed) => {
    expect(mixColors(a, b, share)).toBe(mixed);
  });
});
