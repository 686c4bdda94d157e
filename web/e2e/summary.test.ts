// The summary page against the API: values, order, filters, time, columns, export.
import { readFile } from 'node:fs/promises';
import { describe, expect } from 'vitest';
import {
  api,
  eventually,
  inBrowser,
  labFilter,
  lab,
  settled,
  useBrowser,
  type Visit,
} from './browser';
import { exactNumber, grid, rounded, shownRows, type ShownRow } from './table';

interface Entity {
  kind: string;
  id: string;
  name: string;
}

interface Pair {
  client: Entity;
  server: Entity;
  metrics: Record<string, number | null>;
}

interface Summary {
  total: number;
  rows: Pair[];
  totals: Record<string, number | null>;
}

const metrics = [
  'bytes_sent',
  'bytes_received',
  'rtt_us',
  'jitter_us',
  'connections',
  'closures',
  'retransmits',
  'connect_refused',
];

function summary(extra: Record<string, string> = {}): Promise<Summary> {
  return api<Summary>('/summary', settled({ metrics: metrics.join(','), ...extra }));
}

function table(visit: Visit) {
  return grid(visit.page, 'Network paths');
}

function asShown(pair: Pair) {
  return {
    client: pair.client.name,
    server: pair.server.name,
    ...Object.fromEntries(metrics.map((name) => [name, rounded(pair.metrics[name])])),
  };
}

function asRead(row: ShownRow) {
  const name = (text: string | undefined) => text?.split('\n')[0] ?? '';
  return {
    client: name(row['client']),
    server: name(row['server']),
    ...Object.fromEntries(metrics.map((metric) => [metric, exactNumber(row[metric])])),
  };
}

async function expectRows(visit: Visit, answer: Summary): Promise<void> {
  await eventually(async () => {
    const shown = (await shownRows(table(visit))).map(asRead);
    expect(shown).toEqual(answer.rows.map(asShown));
  });
}

useBrowser();

describe('summary', () => {
  inBrowser('shows each pair with the very numbers of the API', async (visit) => {
    await visit.open('/summary', settled());
    const answer = await summary();
    const names = answer.rows.map(({ client, server }) => `${client.name} ${server.name}`);
    expect(names).toContain('e2e-front e2e-store');
    expect(names).toContain('e2e-front e2e-names');
    const front = answer.rows.find(({ server }) => server.name === 'e2e-store');
    expect(front?.metrics['connections']).toBeGreaterThan(50);
    expect(front?.metrics['bytes_received']).toBeGreaterThan(1_000_000);
    await expectRows(visit, answer);
    await visit.page.getByText(`${answer.total} paths`, { exact: true }).waitFor();
  });

  inBrowser('has a line of totals over everything that matched', async (visit) => {
    await visit.open('/summary', settled());
    const { totals } = await summary();
    const total = table(visit)
      .getByRole('row')
      .filter({ hasText: /^Total/ });
    await total.waitFor();
    for (const name of metrics) {
      const title = await total.locator(`[data-metric=${name}]`).getAttribute('title');
      expect(exactNumber(title?.replace(/^[^:]*: /, '')), name).toBe(rounded(totals[name]));
    }
  });

  inBrowser('sorts by a column, and turns round', async (visit) => {
    await visit.open('/summary', settled());
    await table(visit).getByRole('button', { name: 'Conns' }).click();
    await expectRows(visit, await summary({ sort: '-connections' }));
    expect(visit.params().get('sort')).toBe('-connections');
    await table(visit).getByRole('button', { name: 'Conns' }).click();
    await expectRows(visit, await summary({ sort: 'connections' }));
    await table(visit).getByRole('button', { name: 'Server', exact: true }).click();
    await expectRows(visit, await summary({ sort: 'server' }));
  });

  inBrowser('groups by host', async (visit) => {
    await visit.open('/summary', settled());
    await table(visit).waitFor();
    await visit.page.getByText('Host', { exact: true }).first().click();
    expect(visit.params().get('level')).toBe('host');
    await expectRows(visit, await summary({ level: 'host' }));
  });

  inBrowser('reads one end’s observation', async (visit) => {
    await visit.open('/summary', settled({ perspective: 'server' }));
    await expectRows(visit, await summary({ perspective: 'server' }));
  });

  inBrowser('draws a chart for each group of metrics', async (visit) => {
    await visit.open('/summary', settled());
    for (const title of [
      'Traffic',
      'TCP delay',
      'TCP jitter',
      'Connections',
      'Retransmissions',
      'Failed connects',
    ]) {
      const card = visit.page.getByRole('region', { name: title, exact: true });
      await card.locator('canvas, :text("in this time")').first().waitFor();
    }
    const { totals } = await summary();
    const traffic = visit.page.getByRole('region', { name: 'Traffic', exact: true });
    const sent = await traffic.locator('[title^="bytes_sent"]').getAttribute('title');
    expect(exactNumber(sent?.replace(/^[^:]*: /, ''))).toBe(totals['bytes_sent']);
  });

  inBrowser('a drag over a chart chooses that time', async (visit) => {
    await visit.open('/summary', settled());
    const plot = visit.page
      .getByRole('region', { name: 'Traffic', exact: true })
      .locator('.u-over');
    await plot.waitFor();
    const box = await plot.boundingBox();
    if (!box) throw new Error('the chart has no place');
    await visit.page.mouse.move(box.x + box.width * 0.25, box.y + 20);
    await visit.page.mouse.down();
    await visit.page.mouse.move(box.x + box.width * 0.75, box.y + 20, { steps: 6 });
    await visit.page.mouse.up();
    await eventually(async () => {
      await Promise.resolve();
      const [from, to] = [Number(visit.params().get('from')), Number(visit.params().get('to'))];
      const quarter = (lab.toMs - lab.fromMs) / 4;
      expect(Math.abs(from - (lab.fromMs + quarter))).toBeLessThan(quarter / 4);
      expect(Math.abs(to - (lab.toMs - quarter))).toBeLessThan(quarter / 4);
    });
  });

  inBrowser('compares with the period before', async (visit) => {
    const half = new URLSearchParams(settled());
    half.set('from', String((lab.fromMs + lab.toMs) / 2));
    await visit.open('/summary', half);
    await visit.page.getByRole('switch', { name: 'Compare with the period before' }).click();
    expect(visit.params().get('compare')).toBe('previous');
    half.set('compare', 'previous');
    half.set('metrics', 'bytes_sent');
    const answer = await api<{ rows: (Pair & { previous?: Pair['metrics'] })[] }>('/summary', half);
    await eventually(async () => {
      const titles = await table(visit)
        .locator('[aria-rowindex] [data-metric=bytes_sent]')
        .evaluateAll((cells) =>
          cells.map((cell) => cell.getAttribute('title')?.split('before: ')[1] ?? ''),
        );
      expect(titles.map(exactNumber)).toEqual(
        answer.rows.map((row) => row.previous?.['bytes_sent'] ?? 0),
      );
    });
  });

  inBrowser('keeps the chosen columns for this person', async (visit) => {
    await visit.open('/summary', settled());
    await visit.page.getByRole('button', { name: 'Columns' }).click();
    await visit.page.getByRole('checkbox', { name: 'TCP jitter' }).uncheck();
    await visit.page.getByRole('checkbox', { name: 'Packets sent' }).check();
    const grip = visit.page.getByRole('button', { name: /^Move Received/ });
    await grip.press('ArrowUp');
    await visit.page.keyboard.press('Escape');
    const heads = () => table(visit).getByRole('columnheader').allInnerTexts();
    const check = async () => {
      const shown = await heads();
      expect(shown).not.toContain('TCP jitter');
      expect(shown).toContain('Packets sent');
      expect(shown.indexOf('Received')).toBe(shown.indexOf('Sent') - 1);
    };
    await eventually(check);
    await visit.page.reload();
    await eventually(check);
    await visit.page.getByRole('button', { name: 'Columns' }).click();
    await visit.page.getByRole('button', { name: 'Reset', exact: true }).click();
    await eventually(async () => expect(await heads()).toContain('TCP jitter'));
  });

  inBrowser('columns can be made wider', async (visit) => {
    await visit.open('/summary', settled());
    const head = table(visit).getByRole('columnheader', { name: /Client/ });
    const before = await head.evaluate((cell) => cell.clientWidth);
    const edge = head.getByRole('separator');
    await edge.focus();
    await edge.press('ArrowRight');
    await edge.press('ArrowRight');
    await eventually(async () => {
      expect(await head.evaluate((cell) => cell.clientWidth)).toBeGreaterThan(before + 20);
    });
  });

  inBrowser('exports what it shows, exactly', async (visit) => {
    await visit.open('/summary', settled());
    await table(visit).waitFor();
    await visit.page.getByRole('button', { name: 'Export' }).click();
    const waiting = visit.page.waitForEvent('download');
    await visit.page.getByRole('menuitem', { name: 'CSV' }).click();
    const download = await waiting;
    expect(download.suggestedFilename()).toMatch(/^weir-summary-.*\.csv$/);
    const lines = (await readFile(await download.path(), 'utf8')).trim().split('\r\n');
    const answer = await summary();
    const header = lines[0]?.split(',') ?? [];
    const sent = header.indexOf('bytes_sent');
    expect(lines.slice(1).map((line) => Number(line.split(',')[sent]))).toEqual(
      answer.rows.map((row) => row.metrics['bytes_sent']),
    );
  });

  inBrowser('leads to the flows of the same question', async (visit) => {
    await visit.open('/summary', settled());
    await visit.page.getByRole('link', { name: 'View network flow data' }).click();
    await visit.page.waitForURL('**/flows?**');
    expect(visit.params().get('filter')).toBe(labFilter);
    expect(visit.params().get('from')).toBe(String(lab.fromMs));
  });
});
