// The details drawer: headline numbers, connections, the way to the flows, its place in the link.
import { describe, expect } from 'vitest';
import { api, eventually, inBrowser, lab, settled, useBrowser, type Visit } from './browser';
import { exactNumber, grid, rounded, shownRows } from './table';

interface Entity {
  kind: string;
  id: string;
  name: string;
}

interface Summary {
  rows: { client: Entity; server: Entity; metrics: Record<string, number | null> }[];
}

interface Connections {
  rows: {
    direction: string;
    ip: string;
    port: number | null;
    transport: string | null;
    metrics: Record<string, number | null>;
    filter: string;
  }[];
  filter: string;
}

const tiles = ['bytes_sent', 'bytes_received', 'connections', 'closures', 'rtt_us'];

const key = (entity: Entity) => `${entity.kind}:${entity.id}`;

async function pair() {
  const { rows } = await api<Summary>(
    '/summary',
    settled({ filter: 'server_process:e2e-store', metrics: tiles.join(',') }),
  );
  const found = rows.find(
    ({ client, server }) => client.name === 'e2e-front' && server.name === 'e2e-store',
  );
  if (!found) throw new Error('the lab’s pair is missing');
  return found;
}

function drawer(visit: Visit) {
  return visit.page.getByRole('complementary', { name: 'Details' });
}

async function tile(visit: Visit, metric: string): Promise<number | null> {
  const title = await drawer(visit)
    .locator(`div:has(> dd[data-metric=${metric}])`)
    .getAttribute('title');
  return exactNumber(title?.replace(/^.*: /, ''));
}

useBrowser();

describe('details', () => {
  inBrowser('a row opens the pair with its own numbers', async (visit) => {
    const { client, server, metrics } = await pair();
    await visit.open('/summary', settled());
    const row = grid(visit.page, 'Network paths')
      .locator('[aria-rowindex]')
      .filter({ hasText: /e2e-front[^]*e2e-store/ });
    await row.locator('[data-column=bytes_sent]').click();
    await drawer(visit).waitFor();
    expect(visit.params().get('details')).toBe(`${key(client)}|${key(server)}`);
    await eventually(async () => {
      for (const name of tiles) {
        expect(await tile(visit, name), name).toBe(rounded(metrics[name]));
      }
    });
    expect(await row.getAttribute('aria-selected')).toBe('true');
  });

  inBrowser('opens from a link and closes with Escape', async (visit) => {
    const { server } = await pair();
    await visit.open('/summary', settled({ details: key(server) }));
    await drawer(visit).getByRole('heading', { name: 'e2e-store' }).waitFor();
    await drawer(visit).getByText('Talks with').waitFor();
    await visit.page.keyboard.press('Escape');
    await eventually(async () => expect(await drawer(visit).count()).toBe(0));
    expect(visit.params().has('details')).toBe(false);
  });

  inBrowser('lists connections by address and port, or by address', async (visit) => {
    const { client, server } = await pair();
    const asked = {
      client: key(client),
      server: key(server),
      metrics: 'bytes_sent,bytes_received',
    };
    await visit.open('/summary', settled({ details: `${key(client)}|${key(server)}` }));
    const table = grid(visit.page, 'Connections');
    for (const by of ['ip_port', 'ip']) {
      const { rows } = await api<Connections>('/connections', settled({ ...asked, by }));
      expect(rows.length).toBeGreaterThan(0);
      await eventually(async () => {
        const shown = await shownRows(table);
        expect(shown.map((row) => [row['remote'], exactNumber(row['bytes_sent'])])).toEqual(
          rows.map((row) => [
            row.port === null ? row.ip : `${row.ip}:${row.port}`,
            row.metrics['bytes_sent'],
          ]),
        );
      });
      if (by === 'ip_port') await drawer(visit).getByText('IP', { exact: true }).click();
    }
  });

  inBrowser('a connection leads to its flows', async (visit) => {
    const { client, server } = await pair();
    await visit.open('/summary', settled({ details: `${key(client)}|${key(server)}` }));
    const { rows } = await api<Connections>(
      '/connections',
      settled({ client: key(client), server: key(server) }),
    );
    await grid(visit.page, 'Connections')
      .locator('[aria-rowindex="1"] [data-column=remote]')
      .click();
    await visit.page.waitForURL('**/flows?**');
    expect(visit.params().get('filter')).toBe(rows[0]?.filter);
    const flows = await api<{ rows: unknown[] }>(
      '/flows/l4',
      settled({ filter: rows[0]?.filter ?? '', limit: '200' }),
    );
    await visit.page.getByText(new RegExp(`^${flows.rows.length} flow rows?$`)).waitFor();
  });

  inBrowser('can be made wider, and stays so', async (visit) => {
    const { server } = await pair();
    await visit.open('/summary', settled({ details: key(server) }));
    await drawer(visit).waitFor();
    const width = () => drawer(visit).evaluate((element) => element.clientWidth);
    const before = await width();
    const edge = drawer(visit).getByRole('separator', { name: 'Width of the details' });
    await edge.focus();
    await edge.press('ArrowLeft');
    await edge.press('ArrowLeft');
    await eventually(async () => expect(await width()).toBeGreaterThan(before + 50));
    const wider = await width();
    await visit.page.reload();
    await drawer(visit).waitFor();
    expect(await width()).toBe(wider);
  });

  inBrowser('an address that names nothing opens nothing', async (visit) => {
    await visit.open('/summary', settled({ details: 'planet:earth' }));
    await grid(visit.page, 'Network paths').waitFor();
    expect(await drawer(visit).count()).toBe(0);
    expect(lab.url).not.toBe('');
  });
});
