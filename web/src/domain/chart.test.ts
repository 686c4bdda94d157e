import { describe, expect, it } from 'vitest';
import {
  alignTo,
  chartMetrics,
  contentOf,
  drawnValues,
  l4Charts,
  stackLines,
  type LineSpec,
} from './chart';
import { isMetric } from './metrics';

const bar = (side: 'up' | 'down', own: (number | null)[]) =>
  ({ metric: 'm', label: '', kind: 'bar', side, color: 0, own }) satisfies LineSpec & {
    own: unknown;
  };

describe('charts', () => {
  it('ask for metrics that exist', () => {
    expect(chartMetrics(l4Charts).filter((name) => !isMetric(name))).toEqual([]);
  });

  it('bytes are drawn per second, counts as they are, gaps stay gaps', () => {
    expect(drawnValues('bytes_sent', [100, null, 0], 10)).toEqual([10, null, 0]);
    expect(drawnValues('connections', [100, null], 10)).toEqual([100, null]);
    expect(drawnValues('rtt_us', [5], 10)).toEqual([5]);
  });

  it('bars stand on those of their own side', () => {
    const drawn = stackLines([
      bar('up', [1, null, 2]),
      bar('up', [3, 4, null]),
      bar('down', [5, 6, 7]),
    ]);
    expect(drawn.map((line) => line.drawn)).toEqual([
      [1, null, 2],
      [4, 4, null],
      [-5, -6, -7],
    ]);
  });

  it('lines do not stack', () => {
    const line = { ...bar('up', [1]), kind: 'line' as const };
    expect(stackLines([bar('up', [9]), line])[1]?.drawn).toEqual([1]);
  });

  it('tell zeros from nothing', () => {
    expect(contentOf([{ own: [null, null] }, { own: [] }])).toBe('nothing');
    expect(contentOf([{ own: [null, 0] }])).toBe('zeros');
    expect(contentOf([{ own: [0] }, { own: [null, 2] }])).toBe('values');
  });

  it('another period is cut or padded to the same steps', () => {
    expect(alignTo(3, [1, 2, 3, 4])).toEqual([1, 2, 3]);
    expect(alignTo(3, [1])).toEqual([1, null, null]);
  });
});
