import { describe, expect, it } from 'vitest';
import { filterForLayer, layers, layerSchemas } from './layer';
import { fillMetrics, isLayerMetric, volumeMetric } from './metrics';
import { quickFilterSections } from './quickFilters';
import { rowsSearch, searchFor, toLayer } from './search';

describe('a filter on its way to another layer', () => {
  it.each([
    ['server_port:443 method:GET', 'l4', 'server_port:443'],
    ['server_port:443 method:GET', 'l7', 'server_port:443 method:GET'],
    ['-status:(404 OR 500) host:a path:"/a b"', 'l4', 'host:a'],
    ['host:a AND dns_name:x* AND pid:1', 'l7', 'host:a AND pid:1'],
    ['NOT method:GET host:a', 'dns', 'host:a'],
    ['method:GET OR host:a', 'l4', ''],
    ['host:a OR pid:1', 'dns', 'host:a OR pid:1'],
    ['(status:200 OR host:a) pid:1', 'l4', 'pid:1'],
    ['rtt_us:[1 - 2] "free text"', 'l7', '"free text"'],
    ['', 'l7', ''],
  ] as const)('%j to %s is %j', (filter, layer, kept) => {
    expect(filterForLayer(filter, layer)).toBe(kept);
  });

  it('keeps what no layer knows, so that the mistake is told', () => {
    expect(filterForLayer('sevrer_port:443', 'l7')).toBe('sevrer_port:443');
  });
});

describe('the address of another layer', () => {
  it('has nothing of the old one', () => {
    const search = { ...{ sort: '-requests', fill: 'error_rate', range: '0..1' }, stack: 'class' };
    const next = { ...search, ...toLayer('l4', 'status:500 host:a', 'sums') };
    expect(JSON.parse(JSON.stringify(next))).toEqual({ layer: 'l4', filter: 'host:a' });
  });

  it('of the rows: DNS has none, its connections have', () => {
    const search = { from: 'now-1h', filter: 'rcode:NXDOMAIN host:a', sort: 'x' };
    expect(rowsSearch({ ...search, layer: 'dns' })).toEqual({
      from: 'now-1h',
      layer: 'l4',
      filter: 'host:a',
    });
  });
});

describe('the address of another page', () => {
  it.each([
    ['/flows', 'errors>0 status:500', 'status:500'],
    ['/flows', 'trace_id:ab12', 'trace_id:ab12'],
    ['/summary', 'trace_id:ab12 status:500', 'status:500'],
    ['/map', 'errors>0', 'errors>0'],
  ])('%s with %j has %j', (path, filter, kept) => {
    expect(searchFor(path)({ layer: 'l7', filter }).filter).toBe(kept);
  });
});

describe.each(layers)('%s', (layer) => {
  it('has the metrics that the pages name', () => {
    const named = [...fillMetrics[layer], volumeMetric[layer]];
    expect(named.filter((name) => !isLayerMetric(layer, name))).toEqual([]);
  });

  it('has quick filters for its own fields and both ends', () => {
    const sections = quickFilterSections(layer, ['process', 'host']);
    const names = sections.flatMap(({ fields }) => fields.map(({ name }) => name));
    const known = new Set(layerSchemas[layer].fields.sums.map(({ name }) => name));
    expect(names.filter((name) => !known.has(name))).toEqual([]);
    expect(names).toContain('client_process');
    expect(names).toContain('server_port');
    const own = { l4: ['netns'], l7: ['method', 'status', 'path'], dns: ['dns_name', 'rcode'] };
    expect(names).toEqual(expect.arrayContaining(own[layer]));
  });
});

it('a metric belongs to one layer', () => {
  const names = layers.flatMap((layer) => layerSchemas[layer].metrics.map(({ name }) => name));
  expect(new Set(names).size).toBe(names.length);
});
