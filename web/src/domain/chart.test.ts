import { describe, expect, it } from 'vitest';
import {
  alignTo,
  chartMetrics,
  contentOf,
  drawnValues,
  namedLines,
  stackLines,
  type LineSpec,
} from './chart';
import { layers } from './layer';
import { layerCharts } from './layerCharts';
import { isLayerMetric } from './metrics';

const bar = (side: 'up' | 'down', own: (number | null)[]) =>
  ({ metric: 'm', label: '', kind: 'bar', side, color: 0, own }) satisfies LineSpec & {
    own: unknown;
  };

describe('charts', () => {
  it.each(layers)('of %s ask for metrics that exist', (layer) => {
    const charts = layerCharts[layer];
    const asked = [...chartMetrics(charts), ...charts.map(({ unitOf }) => unitOf)];
    expect(asked.filter((name) => !isLayerMetric(layer, name))).toEqual([]);
  });

  it('groups are named, heaviest first, the rest last; empty ones go', () => {
    const line = (name: string | null, values: number[], is_rest = false) => ({
      group: is_rest ? null : { rcode: name },
      is_rest,
      metrics: { dns_failures: values },
    });
    const series = [
      line('NOERROR', [0, 0]),
      line('', [9], true),
      line('SERVFAIL', [1, 1]),
      line(null, [4, 0]),
    ];
    expect(
      namedLines({ series }, 'rcode', 'dns_failures').map(({ label, total }) => [label, total]),
    ).toEqual([
      ['none', 4],
      ['SERVFAIL', 2],
      ['others', 9],
    ]);
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
