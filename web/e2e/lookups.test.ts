// DNS: who asks which server, names and their answers, against the API and what the lab does.
import { describe, expect } from 'vitest';
import { api, eventually, inBrowser, settled, useBrowser } from './browser';
import { exactNumber, grid, rounded, shownRows } from './table';

type Metrics = Record<string, number | null>;

const metrics = ['dns_queries', 'dns_failures', 'dns_timeouts', 'dns_us', 'dns_us_p95'];
const shopFilter = 'client_process:e2e-shop';

function dns(extra: Record<string, string> = {}): URLSearchParams {
  return settled({ layer: 'dns', filter: shopFilter, ...extra });
}

useBrowser();

describe('DNS', () => {
  inBrowser('shows who asks which server', async (visit) => {
    await visit.open('/summary', dns());
    const params = dns({ metrics: metrics.join(','), sort: '-dns_queries' });
    const { rows } = await api<{ rows: { metrics: Metrics }[] }>('/summary', params);
    // Two lookups every 400 ms, one of them of a name that does not exist.
    expect(rows).toHaveLength(1);
    const given = rows[0]?.metrics ?? {};
    expect(given['dns_queries']).toBeGreaterThan(150);
    expect((given['dns_failures'] ?? 0) / (given['dns_queries'] ?? 1)).toBeCloseTo(0.5, 1);
    await eventually(async () => {
      const [shown] = await shownRows(grid(visit.page, 'Network paths'));
      for (const name of metrics) {
        expect(exactNumber(shown?.[name]), name).toBe(rounded(given[name]));
      }
    });
  });

  inBrowser('lists names, and what became of them', async (visit) => {
    await visit.open('/summary', dns());
    await visit.page.getByText('Names', { exact: true }).click();
    await eventually(async () => {
      const rows = await shownRows(grid(visit.page, 'Names'));
      const of = (name: string) => rows.find((row) => row['dns_name'] === name);
      expect(rows.map((row) => row['dns_name']).sort()).toEqual(['gone.e2e.test', 'shop.e2e.test']);
      expect(of('shop.e2e.test')?.['dns_type']).toBe('A');
      expect(exactNumber(of('shop.e2e.test')?.['dns_failures'])).toBe(0);
      expect(of('gone.e2e.test')?.['dns_failures']).toBe(of('gone.e2e.test')?.['dns_queries']);
    });
    const codes = visit.page.getByRole('region', { name: 'Failures by code', exact: true });
    await codes.locator('dt', { hasText: 'NXDOMAIN' }).waitFor();
    await grid(visit.page, 'Names').getByText('gone.e2e.test').click();
    await eventually(async () => {
      await Promise.resolve();
      expect(visit.params().get('filter')).toBe(`${shopFilter} dns_name:gone.e2e.test dns_type:A`);
    });
  });

  inBrowser('has no single lookups, and says where to look instead', async (visit) => {
    await visit.open('/flows', dns());
    await visit.page.getByText('DNS lookups are not kept one by one').waitFor();
    await visit.page.getByRole('button', { name: 'Flows to DNS servers' }).click();
    await eventually(async () => {
      const rows = await shownRows(grid(visit.page, 'Network flows'));
      expect(rows.length).toBeGreaterThan(0);
      expect(new Set(rows.map((row) => row['transport']))).toEqual(new Set(['udp']));
    });
    expect(visit.params().get('filter')).toBe(`${shopFilter} server_port:53`);
  });
});
