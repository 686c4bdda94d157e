// The search box, the quick filters and the time widget.
import { describe, expect } from 'vitest';
import { api, eventually, inBrowser, labFilter, settled, useBrowser, type Visit } from './browser';
import { grid, shownRows } from './table';

interface Summary {
  total: number;
  rows: { client: { name: string }; server: { name: string } }[];
}

interface Facets {
  facets: { field: string; values: { value: string | null; count: number }[] }[];
}

function searchBox(visit: Visit) {
  return visit.page.getByRole('combobox', { name: 'Filter' });
}

async function expectServers(visit: Visit, filter: string): Promise<string[]> {
  const answer = await api<Summary>('/summary', settled({ filter }));
  const expected = answer.rows.map(({ client, server }) => `${client.name} ${server.name}`);
  await eventually(async () => {
    const rows = await shownRows(grid(visit.page, 'Network paths'));
    expect(
      rows.map((row) => `${row['client']?.split('\n')[0]} ${row['server']?.split('\n')[0]}`),
    ).toEqual(expected);
  });
  return expected;
}

useBrowser();

describe('search box', () => {
  inBrowser('narrows the list to what is typed', async (visit) => {
    await visit.open('/summary', settled());
    const typed = 'server_process:e2e-store transport:tcp';
    await searchBox(visit).fill(typed);
    await searchBox(visit).press('Enter');
    expect(await expectServers(visit, typed)).toEqual(['e2e-front e2e-store']);
    expect(visit.params().get('filter')).toBe(typed);
  });

  inBrowser('completes fields, then values that were observed', async (visit) => {
    await visit.open('/summary', settled({ filter: '' }));
    await searchBox(visit).click();
    await visit.page.keyboard.type('server_proc');
    await visit.page.getByRole('option', { name: /^server_process/ }).waitFor();
    await visit.page.keyboard.press('Tab');
    await visit.page.keyboard.type('e2e-st');
    await visit.page.getByRole('option', { name: /^e2e-store/ }).waitFor();
    await visit.page.keyboard.press('ArrowDown');
    await visit.page.keyboard.press('Enter');
    expect(await searchBox(visit).inputValue()).toBe('server_process:e2e-store ');
    await visit.page.keyboard.press('Enter');
    await expectServers(visit, 'server_process:e2e-store');
  });

  inBrowser(
    'underlines what cannot be read and says what would be right',
    async (visit) => {
      await visit.open('/summary', settled({ filter: 'transport:tcp server_prot:443' }));
      await visit.page.getByText('The filter cannot be read').waitFor();
      const wrong = visit.page.locator('[data-problem][data-kind]');
      expect((await wrong.allInnerTexts()).join('')).toContain('server_prot');
      await visit.page.getByRole('button', { name: 'Use server_port' }).click();
      await visit.page.getByText('The filter cannot be read').waitFor({ state: 'detached' });
      expect(visit.params().get('filter')).toBe('transport:tcp server_port:443');
      await searchBox(visit).fill(labFilter);
      await searchBox(visit).press('Enter');
      await expectServers(visit, labFilter);
      expect(await wrong.count()).toBe(0);
    },
    { errorsExpected: true },
  );

  inBrowser('is the quick filters’ other face', async (visit) => {
    await visit.open('/summary', settled({ filter: 'server_process:(e2e-store OR e2e-names)' }));
    const server = visit.page.getByRole('region', { name: 'Server', exact: true });
    await server.getByRole('checkbox', { name: 'Only e2e-store' }).waitFor();
    expect(await server.getByRole('checkbox', { name: 'Only e2e-store' }).isChecked()).toBe(true);
    await server.getByRole('checkbox', { name: 'Only e2e-names' }).uncheck();
    await expectServers(visit, 'server_process:e2e-store');
    expect(await searchBox(visit).inputValue()).toBe('server_process:e2e-store');
    await visit.page.getByRole('button', { name: 'Remove server_process:e2e-store' }).click();
    await eventually(async () => expect(await searchBox(visit).inputValue()).toBe(''));
  });
});

describe('quick filters', () => {
  inBrowser('show the API’s values with their counts', async (visit) => {
    await visit.open('/summary', settled());
    const answer = await api<Facets>('/facets', settled({ fields: 'server_process' }));
    const values = answer.facets[0]?.values ?? [];
    expect(values.map(({ value }) => value)).toContain('e2e-store');
    const server = visit.page.getByRole('region', { name: 'Server', exact: true });
    for (const { value, count } of values.slice(0, 4)) {
      const row = server
        .locator('[data-mark]')
        .filter({ hasText: value ?? 'none' })
        .first();
      await row.waitFor();
      expect(await row.locator('[title$="flow rows"]').getAttribute('title')).toBe(
        `${count.toLocaleString('en-US')} flow rows`,
      );
    }
  });

  inBrowser('include and exclude', async (visit) => {
    await visit.open('/summary', settled());
    const server = visit.page.getByRole('region', { name: 'Server', exact: true });
    await server.getByRole('checkbox', { name: 'Only e2e-store' }).check();
    await expectServers(visit, `${labFilter} server_process:e2e-store`);
    await server.getByRole('checkbox', { name: 'Only e2e-store' }).uncheck();
    const row = server.locator('[data-mark]').filter({ hasText: 'e2e-store' });
    await row.hover();
    await row.getByRole('button', { name: 'Leave out e2e-store' }).click();
    const left = await expectServers(visit, `${labFilter} -server_process:e2e-store`);
    expect(left).not.toContain('e2e-front e2e-store');
    expect(left).toContain('e2e-front e2e-names');
  });

  inBrowser('offer the six combinations of direction and protocol', async (visit) => {
    await visit.open('/summary', settled());
    for (const [direction, transport] of [
      ['outgoing', 'UDP'],
      ['incoming', 'TCP'],
      ['outgoing', 'Any'],
    ] as const) {
      const button = visit.page.getByRole('button', {
        name: `${direction}, ${transport}`,
        exact: true,
      });
      await button.click();
      const clause = transport === 'Any' ? '' : ` transport:${transport.toLowerCase()}`;
      await expectServers(visit, `${labFilter} direction:${direction}${clause}`);
      expect(await button.getAttribute('aria-pressed')).toBe('true');
    }
  });
});

describe('time', () => {
  inBrowser('presets, typed lengths and steps are links', async (visit) => {
    await visit.open('/summary', new URLSearchParams({ filter: labFilter }));
    const button = visit.page.locator('#weir-time');
    await button.waitFor();
    expect(await button.innerText()).toBe('Last 15 min');
    await button.click();
    await visit.page.getByRole('option', { name: 'Last 3 hours' }).click();
    await eventually(async () => expect(await button.innerText()).toBe('Last 3 h'));
    expect(visit.params().get('from')).toBe('now-3h');
    await button.click();
    await visit.page.getByLabel('Type a range').fill('20m');
    await visit.page.keyboard.press('Enter');
    await eventually(async () => expect(await button.innerText()).toBe('Last 20 min'));
    await visit.page.getByRole('button', { name: 'Earlier' }).click();
    await eventually(async () => {
      await Promise.resolve();
      const length = Number(visit.params().get('to')) - Number(visit.params().get('from'));
      expect(length).toBe(20 * 60_000);
    });
    await visit.page.goBack();
    await eventually(async () => expect(await button.innerText()).toBe('Last 20 min'));
  });

  inBrowser('a range without traffic is empty, and the one with it is not', async (visit) => {
    await visit.open(
      '/summary',
      new URLSearchParams({ from: '1000000000000', to: '1000000060000' }),
    );
    await visit.page.getByText('Nothing was observed in this time').waitFor();
    await visit.open('/summary', settled());
    await expectServers(visit, labFilter);
  });

  inBrowser('refuses what is no time and says what is', async (visit) => {
    await visit.open('/summary', settled());
    await visit.page.locator('#weir-time').click();
    await visit.page.getByLabel('Type a range').fill('whenever');
    await visit.page.keyboard.press('Enter');
    await visit.page.getByText(/^Try 20m/).waitFor();
    expect(visit.params().get('from')).toBe(settled().get('from'));
  });
});
