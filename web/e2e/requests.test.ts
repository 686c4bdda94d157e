// Requests (L7) on every page: against the API, and against what the lab is known to do.
import { describe, expect } from 'vitest';
import { api, eventually, inBrowser, lab, settled, useBrowser, type Visit } from './browser';
import { exactNumber, grid, rounded, shownRows, type ShownRow } from './table';

type Metrics = Record<string, number | null>;

interface Entity {
  kind: string;
  id: string;
  name: string;
}

interface Summary {
  total: number;
  rows: { client: Entity; server: Entity; metrics: Metrics }[];
  totals: Metrics;
}

interface Series {
  series: {
    group?: Record<string, string | null> | null;
    is_rest: boolean;
    metrics: Record<string, (number | null)[]>;
  }[];
}

interface Requests {
  rows: Record<string, string | number | null>[];
}

const shown = [
  'requests',
  'requests_per_s',
  'status_3xx',
  'status_4xx',
  'status_5xx',
  'error_rate',
  'response_us',
  'response_us_p95',
];

/** What the lab's shop asks of its API. */
const shopFilter = 'client_process:e2e-shop server_process:e2e-api';

function l7(extra: Record<string, string> = {}): URLSearchParams {
  return settled({ layer: 'l7', filter: shopFilter, ...extra });
}

function summary(extra: Record<string, string> = {}): Promise<Summary> {
  return api<Summary>('/summary', l7({ metrics: shown.join(','), sort: '-requests', ...extra }));
}

/** As the screen says it: a share in percent. */
function asShown(name: string, value: number | null | undefined): number | null {
  const isShare = name === 'error_rate' && typeof value === 'number';
  return rounded(isShare ? value * 100 : value);
}

function numbersOf(metrics: Metrics) {
  return Object.fromEntries(shown.map((name) => [name, asShown(name, metrics[name])]));
}

function numbersIn(row: ShownRow) {
  return Object.fromEntries(shown.map((name) => [name, exactNumber(row[name])]));
}

function pairs(visit: Visit) {
  return grid(visit.page, 'Network paths');
}

function layers(visit: Visit, name = 'Layer') {
  return visit.page.getByRole('radiogroup', { name, exact: true });
}

function drawer(visit: Visit) {
  return visit.page.getByRole('complementary', { name: 'Details' });
}

async function pairDetails(): Promise<string> {
  const row = (await summary()).rows[0];
  if (!row) throw new Error('the lab’s requests are missing');
  const key = ({ kind, id }: Entity) => `${kind}:${id}`;
  return `${key(row.client)}|${key(row.server)}`;
}

useBrowser();

describe('requests in the summary', () => {
  inBrowser('are the API’s and the lab’s', async (visit) => {
    await visit.open('/summary', l7());
    const answer = await summary();
    const metrics = answer.rows[0]?.metrics ?? {};
    expect(answer.rows.map(({ client, server }) => [client.name, server.name])).toEqual([
      ['e2e-shop', 'e2e-api'],
    ]);
    // 20 requests a second, of eight two that are not found and one that fails.
    const { requests } = metrics;
    expect(requests).toBeGreaterThan(500);
    expect((metrics['status_4xx'] ?? 0) / (requests ?? 1)).toBeCloseTo(2 / 8, 1);
    expect((metrics['status_5xx'] ?? 0) / (requests ?? 1)).toBeCloseTo(1 / 8, 1);
    expect(metrics['error_rate']).toBeCloseTo(3 / 8, 1);
    expect(metrics['response_us']).toBeGreaterThan(12_000);
    expect(metrics['response_us_p95']).toBeGreaterThan(19_000);
    await eventually(async () => {
      const rows = (await shownRows(pairs(visit))).map(numbersIn);
      expect(rows).toEqual(answer.rows.map((row) => numbersOf(row.metrics)));
    });
    const total = pairs(visit)
      .getByRole('row')
      .filter({ hasText: /^Total/ });
    for (const name of shown) {
      const title = await total.locator(`[data-metric=${name}]`).getAttribute('title');
      expect(exactNumber(title?.replace(/^[^:]*: /, '')), name).toBe(
        asShown(name, answer.totals[name]),
      );
    }
  });

  inBrowser('sort by any metric', async (visit) => {
    const filter = 'server_process:e2e-*';
    await visit.open('/summary', l7({ filter }));
    await pairs(visit).getByRole('button', { name: 'P95', exact: true }).click();
    expect(visit.params().get('sort')).toBe('-response_us_p95');
    const answer = await summary({ filter, sort: '-response_us_p95' });
    expect(answer.rows.length).toBeGreaterThan(1);
    await eventually(async () => {
      const rows = (await shownRows(pairs(visit))).map(numbersIn);
      expect(rows).toEqual(answer.rows.map((row) => numbersOf(row.metrics)));
    });
  });

  inBrowser('have their charts, with the API’s totals', async (visit) => {
    await visit.open('/summary', l7());
    const { totals } = await summary({ metrics: 'requests,errors,error_rate,response_us' });
    const cases: [string, string][] = [
      ['Requests', 'requests'],
      ['Errors', 'errors'],
      ['Error rate', 'error_rate'],
      ['Response time', 'response_us'],
    ];
    for (const [title, metric] of cases) {
      const card = visit.page.getByRole('region', { name: title, exact: true });
      await card.locator('canvas').first().waitFor();
      const text = await card.locator(`[title^="${metric}:"]`).getAttribute('title');
      expect(exactNumber(text?.replace(/^[^:]*: /, '')), metric).toBe(
        asShown(metric, totals[metric]),
      );
    }
    await visit.page
      .getByRole('region', { name: 'Status', exact: true })
      .getByText('5xx')
      .waitFor();
  });

  inBrowser('by path, which leads to the single requests', async (visit) => {
    await visit.open('/summary', l7());
    await visit.page.getByText('Request paths', { exact: true }).click();
    expect(visit.params().get('list')).toBe('groups');
    const params = l7({
      group_by: 'method,path',
      step: '36500d',
      metrics: 'requests,status_4xx,status_5xx,error_rate,response_us,response_us_p95',
    });
    const { series } = await api<Series>('/series', params);
    const expected = series.map(({ group, metrics }) => [
      group?.['method'],
      group?.['path'],
      metrics['requests']?.[0],
      rounded(metrics['response_us_p95']?.[0]),
    ]);
    expect(expected.map(([method]) => method).sort()).toEqual(['GET', 'GET', 'POST']);
    const table = grid(visit.page, 'Request paths');
    await eventually(async () => {
      const rows = await shownRows(table);
      expect(
        rows.map((row) => [
          row['method'],
          row['path'],
          exactNumber(row['requests']),
          exactNumber(row['response_us_p95']),
        ]),
      ).toEqual(expected);
    });
    await table.getByText('POST', { exact: true }).click();
    await visit.page.waitForURL('**/flows?**');
    await eventually(async () => {
      const rows = await shownRows(grid(visit.page, 'Requests'));
      expect(rows.length).toBeGreaterThan(5);
      expect(new Set(rows.map((row) => `${row['method']} ${row['status']}`))).toEqual(
        new Set(['POST 500']),
      );
    });
  });

  inBrowser('quick filters take a status', async (visit) => {
    await visit.open('/summary', l7());
    const own = visit.page.getByRole('region', { name: 'Request', exact: true });
    await own.getByRole('checkbox', { name: 'Only 404' }).check();
    await eventually(async () => {
      const [row] = await shownRows(pairs(visit));
      expect(exactNumber(row?.['error_rate'])).toBe(100);
    });
    expect(visit.params().get('filter')).toBe(`${shopFilter} status:404`);
  });
});

describe('the layer', () => {
  inBrowser('is chosen beside the level and goes along to other pages', async (visit) => {
    await visit.open('/summary', settled({ filter: 'process:e2e-* transport:tcp' }));
    await layers(visit).getByText('L7', { exact: true }).click();
    await pairs(visit).getByRole('columnheader', { name: 'Requests' }).waitFor();
    expect(visit.params().get('layer')).toBe('l7');
    for (const [link, path] of [
      ['Flows', '/flows'],
      ['Map', '/map'],
      ['Summary', '/summary'],
    ] as const) {
      await visit.page.getByRole('link', { name: link, exact: true }).click();
      await visit.page.waitForURL(`**${path}?**`);
      expect(visit.params().get('layer')).toBe('l7');
    }
  });

  inBrowser('takes along only conditions that it understands', async (visit) => {
    await visit.open('/summary', l7({ filter: `${shopFilter} status:404`, sort: '-errors' }));
    await pairs(visit).waitFor();
    await layers(visit).getByText('L4', { exact: true }).click();
    await pairs(visit).getByRole('columnheader', { name: 'Retrans' }).waitFor();
    expect(visit.params().get('filter')).toBe(shopFilter);
    expect(visit.params().has('sort')).toBe(false);
    await visit.page.goBack();
    await eventually(async () => {
      await Promise.resolve();
      expect(visit.params().get('filter')).toBe(`${shopFilter} status:404`);
    });
  });

  inBrowser('says why there is nothing', async (visit) => {
    const day = 86_400_000;
    const params = { from: String(lab.fromMs - 2 * day), to: String(lab.fromMs - day), filter: '' };
    for (const path of ['/summary', '/map', '/flows']) {
      await visit.open(path, settled({ ...params, layer: 'l7' }));
      const main = visit.page.getByRole('main');
      await main.getByText('No requests were seen in this time').waitFor();
      await main.getByRole('button', { name: 'Show L4' }).waitFor();
    }
  });
});

describe('single requests', () => {
  inBrowser('are the API’s, newest first', async (visit) => {
    await visit.open('/flows', l7());
    const tab = visit.page.getByRole('tab', { name: 'L7 requests' });
    await tab.waitFor();
    expect(await tab.getAttribute('aria-selected')).toBe('true');
    const params = settled({ filter: shopFilter, limit: '200' });
    const { rows } = await api<Requests>('/flows/l7', params);
    expect(rows.length).toBeGreaterThan(100);
    const times = rows.map((row) => Number(row['began_ms']));
    expect(times).toEqual([...times].sort((a, b) => b - a));
    await eventually(async () => {
      const seen = await shownRows(grid(visit.page, 'Requests'));
      expect(seen.length).toBeGreaterThan(10);
      for (const [index, row] of seen.entries()) {
        const given = rows[index];
        expect(row['method']).toBe(given?.['method']);
        expect(row['path']).toBe(given?.['path']);
        expect(row['status']).toBe(String(given?.['status']));
        expect(row['protocol']).toBe(given?.['protocol']);
        expect(row['trace_id']).toBe(given?.['trace_id']);
        expect(exactNumber(row['response_us'])).toBe(given?.['response_us']);
      }
    });
  });

  inBrowser('stand under a timeline by class of status', async (visit) => {
    await visit.open('/flows', l7());
    const timeline = visit.page.getByRole('region', { name: 'Requests over time' });
    for (const label of ['2xx', '4xx', '5xx']) {
      await timeline.locator('dt', { hasText: label }).waitFor();
    }
    await timeline.getByText('Method', { exact: true }).click();
    await timeline.locator('dt', { hasText: 'POST' }).waitFor();
    expect(visit.params().get('stack')).toBe('method');
    await timeline.locator('canvas').waitFor();
  });

  inBrowser('open to everything known, to filter for and out', async (visit) => {
    await visit.open('/flows', l7());
    const table = grid(visit.page, 'Requests');
    const params = settled({ filter: shopFilter, limit: '1' });
    const [row] = (await api<Requests>('/flows/l7', params)).rows;
    await table.locator('[aria-rowindex="1"] [data-column=time]').click();
    const fact = (name: RegExp) =>
      table.locator('dl > div').filter({ has: visit.page.locator('dt', { hasText: name }) });
    const template = String(row?.['template']);
    expect(await fact(/^template$/).innerText()).toContain(template);
    const trace = fact(/^trace id$/);
    await trace.hover();
    await trace.getByRole('button', { name: `Only trace_id:${String(row?.['trace_id'])}` }).click();
    await eventually(async () => expect(await shownRows(table)).toHaveLength(1));
    // A trace is no condition for sums: the summary goes on without it.
    await visit.page.getByRole('link', { name: 'Summary', exact: true }).click();
    await visit.page.waitForURL('**/summary?**');
    expect(visit.params().get('filter')).toBe(shopFilter);
  });
});

describe('requests in the details', () => {
  inBrowser('have headline numbers, paths and a way to L4', async (visit) => {
    const details = await pairDetails();
    await visit.open('/summary', l7({ details }));
    const { totals } = await summary();
    await eventually(async () => {
      for (const name of ['requests', 'error_rate', 'response_us', 'response_us_p95']) {
        const title = await drawer(visit)
          .locator(`div:has(> dd[data-metric=${name}])`)
          .getAttribute('title');
        expect(exactNumber(title?.replace(/^.*: /, '')), name).toBe(asShown(name, totals[name]));
      }
    });
    const paths = await shownRows(grid(visit.page, 'Request paths'));
    expect(paths.map((row) => row['method']).sort()).toEqual(['GET', 'GET', 'POST']);
    await layers(visit, 'Layer of the details').getByText('L4', { exact: true }).click();
    await drawer(visit).locator('dd[data-metric=bytes_sent]').waitFor();
    expect(visit.params().get('details_layer')).toBe('l4');
    expect(visit.params().get('layer')).toBe('l7');
  });

  inBrowser('a path leads to its requests', async (visit) => {
    await visit.open('/summary', l7({ details: await pairDetails() }));
    await grid(visit.page, 'Request paths').getByText('POST', { exact: true }).click();
    await visit.page.waitForURL('**/flows?**');
    expect(visit.params().get('filter')).toContain('method:POST');
    await eventually(async () => {
      const rows = await shownRows(grid(visit.page, 'Requests'));
      expect(new Set(rows.map((row) => row['status']))).toEqual(new Set(['500']));
    });
  });
});

describe('requests on the map', () => {
  inBrowser('fill nodes and paths, and give them their size', async (visit) => {
    await visit.open('/map', l7({ fill: 'error_rate' }));
    const map = await api<{ nodes: { key: string; metrics: Metrics }[] }>(
      '/map',
      l7({ metrics: 'error_rate' }),
    );
    await visit.page.getByText('Size: requests').waitFor();
    const list = visit.page.getByRole('listbox', { name: 'Nodes' });
    await eventually(async () => {
      for (const { key, metrics } of map.nodes) {
        const title = await list
          .locator(`[data-key="${key}"] [title^="Error rate"]`)
          .getAttribute('title');
        expect(exactNumber(title?.split('\n')[0]?.replace(/^.*: /, ''))).toBe(
          asShown('error_rate', metrics['error_rate']),
        );
      }
    });
    expect(map.nodes.length).toBe(2);
  });
});
