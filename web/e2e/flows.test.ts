// The flow list and the status page.
import { describe, expect } from 'vitest';
import { api, eventually, inBrowser, settled, useBrowser } from './browser';
import { exactNumber, grid, shownRows } from './table';

interface Flows {
  rows: Record<string, string | number | null>[];
  next_cursor: string | null;
}

useBrowser();

describe('flows', () => {
  inBrowser('shows the API’s rows, newest first', async (visit) => {
    await visit.open('/flows', settled());
    const { rows } = await api<Flows>('/flows/l4', settled({ limit: '200' }));
    expect(rows.length).toBeGreaterThan(4);
    const times = rows.map((row) => Number(row['window_start_ms']));
    expect(times).toEqual([...times].sort((a, b) => b - a));
    await eventually(async () => {
      const shown = await shownRows(grid(visit.page, 'Network flows'));
      expect(shown.length).toBeGreaterThan(4);
      for (const [index, row] of shown.entries()) {
        const given = rows[index];
        expect(exactNumber(row['bytes_sent'])).toBe(given?.['bytes_sent'] ?? null);
        expect(row['direction']).toBe(given?.['direction']);
        expect(row['transport']).toBe(given?.['transport']);
        expect(row['pid']).toBe(String(given?.['pid'] ?? '–'));
        expect(row['local_process']).toBe(given?.['local_process'] ?? '–');
      }
    });
  });

  inBrowser('a row opens to everything known, to filter for and out', async (visit) => {
    await visit.open('/flows', settled());
    const table = grid(visit.page, 'Network flows');
    const { rows } = await api<Flows>('/flows/l4', settled({ limit: '1' }));
    await table.locator('[aria-rowindex="1"] [data-column=time]').click();
    const agent = String(rows[0]?.['agent']);
    await table.getByText(agent, { exact: true }).first().waitFor();
    await visit.page.getByText('Paused while you read').waitFor();
    const transport = String(rows[0]?.['transport']);
    const fact = table
      .locator('dl > div')
      .filter({ has: visit.page.locator('dt', { hasText: /^transport$/ }) });
    await fact.hover();
    await fact.getByRole('button', { name: `Without transport:${transport}` }).click();
    await eventually(async () => {
      const shown = await shownRows(table);
      expect(shown.length).toBeGreaterThan(0);
      expect(shown.every((row) => row['transport'] !== transport)).toBe(true);
    });
    expect(visit.params().get('filter')).toContain(`-transport:${transport}`);
  });

  inBrowser('the timeline stacks by direction or protocol', async (visit) => {
    await visit.open('/flows', settled());
    const timeline = visit.page.getByRole('region', { name: 'Flows over time' });
    await timeline.getByText('outgoing', { exact: true }).waitFor();
    await timeline.getByText('Protocol', { exact: true }).click();
    await timeline.locator('dt', { hasText: /^udp$/ }).waitFor();
    expect(visit.params().get('stack')).toBe('transport');
    await timeline.locator('canvas').waitFor();
  });

  inBrowser('asks again by itself until it is paused', async (visit) => {
    await visit.open('/flows', settled({ every: '10' }));
    const isFlows = (url: string) => new URL(url).pathname.endsWith('/flows/l4');
    await visit.page.waitForResponse((response) => isFlows(response.url()));
    await visit.page.waitForRequest((request) => isFlows(request.url()), { timeout: 30_000 });
    await visit.page.getByRole('button', { name: /Updates every 10 s/ }).click();
    await visit.page.getByRole('button', { name: 'Resume updates' }).waitFor();
    expect(visit.params().get('every')).toBe('0');
    let asked = 0;
    visit.page.on('request', (request) => {
      if (isFlows(request.url())) asked += 1;
    });
    const quiet = visit.page.waitForRequest((request) => isFlows(request.url()), {
      timeout: 12_000,
    });
    await expect(quiet).rejects.toThrow(/Timeout/);
    expect(asked).toBe(0);
  });

  inBrowser('loads older rows as one scrolls', async (visit) => {
    const wide = settled({ filter: '' });
    const first = await api<Flows>('/flows/l4', new URLSearchParams([...wide, ['limit', '3']]));
    expect(first.next_cursor).not.toBeNull();
    // The page asks for 200 at a time: make the server hand out fewer, so that scrolling has to ask.
    await visit.page.route('**/api/v1/flows/l4?*', (route) => {
      const url = new URL(route.request().url());
      url.searchParams.set('limit', '3');
      return route.continue({ url: url.toString() });
    });
    await visit.open('/flows', wide);
    await eventually(async () => {
      const rows = await shownRows(grid(visit.page, 'Network flows'));
      expect(rows.length).toBeGreaterThan(6);
    });
    const shown = await shownRows(grid(visit.page, 'Network flows'));
    const { rows } = await api<Flows>(
      '/flows/l4',
      new URLSearchParams([...wide, ['limit', String(shown.length)]]),
    );
    expect(shown.map((row) => exactNumber(row['bytes_sent']))).toEqual(
      rows.map((row) => row['bytes_sent'] ?? null),
    );
  });
});
