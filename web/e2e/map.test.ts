// The service map: what is drawn and what pointing shows are the API's, places last, focus and
// back, search, fill, keyboard, dark mode.
//
// The map is a canvas. Tests see it through what it offers to people who do not see it: counts on
// the canvas element (data-nodes, data-lines), the list of the same nodes, and the mark that lies
// on the selected node.
import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import {
  api,
  eventually,
  inBrowser,
  lab,
  labFilter,
  patienceMs,
  settled,
  useBrowser,
  type Visit,
} from './browser';
import { exactNumber, rounded } from './table';

interface MapAnswer {
  nodes: {
    key: string;
    entity: { kind: string; id: string; name: string };
    metrics: Record<string, number | null>;
  }[];
  edges: { client: string; server: string; metrics: Record<string, number | null> }[];
}

interface Place {
  x: number;
  y: number;
}

const metrics = 'rtt_us,jitter_us,retransmits,connections,closures,bytes_sent,bytes_received';
const shown = [
  'bytes_sent',
  'bytes_received',
  'rtt_us',
  'jitter_us',
  'retransmits',
  'connections',
  'closures',
];
const hide = { rest: 'hide' };

useBrowser();

async function labMap(extra: Record<string, string> = {}): Promise<MapAnswer> {
  return api<MapAnswer>('/map', settled({ metrics, group: 'auto', ...extra }));
}

async function keyOf(name: string): Promise<string> {
  const { nodes } = await labMap();
  const node = nodes.find(({ entity }) => entity.name === name);
  if (!node) throw new Error(`${name} is not on the lab's map`);
  return node.key;
}

function canvas({ page }: Visit) {
  return page.getByRole('application');
}

async function drawn(visit: Visit, extra: Record<string, string> = hide): Promise<void> {
  await visit.open('/map', settled(extra));
  await ready(visit);
}

async function ready({ page }: Visit): Promise<void> {
  await page.locator('[role=application][data-ready]').waitFor();
}

async function count(visit: Visit, what: 'nodes' | 'lines'): Promise<number> {
  return Number(await canvas(visit).getAttribute(`data-${what}`));
}

function row(page: Page, key: string) {
  return page.locator(`[role=option][data-key="${key}"]`);
}

/** Selects a node in the list and gives its place on the screen, once it rests. */
async function placeOf({ page }: Visit, key: string): Promise<Place> {
  await row(page, key).click();
  return markAt(page, key);
}

async function markAt(page: Page, key: string): Promise<Place> {
  const mark = page.locator(`[data-selected="${key}"]`);
  const read = () =>
    mark.evaluate((element) => {
      const { x, y } = element.getBoundingClientRect();
      return { x: Math.round(x), y: Math.round(y) };
    });
  await mark.waitFor({ state: 'attached' });
  let before = await read();
  await expect
    .poll(
      async () => {
        const now = await read();
        const rests = now.x > 0 && now.x === before.x && now.y === before.y;
        before = now;
        return rests;
      },
      { timeout: patienceMs, interval: 400 },
    )
    .toBe(true);
  return before;
}

async function cardValues(page: Page): Promise<Record<string, number | null>> {
  const cells = await page
    .getByRole('tooltip')
    .locator('[data-metric]')
    .evaluateAll((found) =>
      found.map((cell) => [
        (cell as HTMLElement).dataset['metric'] ?? '',
        (cell as HTMLElement).title,
      ]),
    );
  return Object.fromEntries(
    cells.map(([name = '', title = '']) => [
      name,
      exactNumber(title.split('\n')[0]?.replace(/^[^:]*: /, '')),
    ]),
  );
}

function expected(values: Record<string, number | null>): Record<string, number | null> {
  return Object.fromEntries(shown.map((name) => [name, rounded(values[name])]));
}

describe('map', () => {
  inBrowser('draws the nodes and paths that the API answers', async (visit) => {
    const { nodes, edges } = await labMap();
    expect(nodes.length).toBeGreaterThanOrEqual(3);
    await drawn(visit);
    await eventually(async () => {
      expect(await count(visit, 'nodes')).toBe(nodes.length);
      const lines = edges.reduce((sum, edge) => sum + (edge.client === edge.server ? 1 : 2), 0);
      expect(await count(visit, 'lines')).toBe(lines);
      const keys = await visit.page
        .locator('[role=option][data-key]')
        .evaluateAll((rows) => rows.map((found) => (found as HTMLElement).dataset['key']));
      expect(keys.sort()).toEqual(nodes.map((node) => node.key).sort());
    });
  });

  inBrowser('fades what the filter leaves out, or hides it', async (visit) => {
    const whole = await labMap({ filter: '' });
    const part = await labMap();
    await drawn(visit, {});
    await eventually(async () => expect(await count(visit, 'nodes')).toBe(whole.nodes.length));
    await visit.page.getByText('Hide the rest').click();
    await eventually(async () => expect(await count(visit, 'nodes')).toBe(part.nodes.length));
    expect(visit.params().get('rest')).toBe('hide');
  });

  inBrowser('shows the values of a node and of a path when pointed at', async (visit) => {
    const { nodes, edges } = await labMap();
    const [front, store] = [await keyOf('e2e-front'), await keyOf('e2e-store')];
    await drawn(visit);
    const to = await placeOf(visit, store);
    await visit.page.mouse.move(to.x, to.y);
    const node = nodes.find(({ key }) => key === store);
    await eventually(async () => {
      expect(await cardValues(visit.page)).toMatchObject(expected(node?.metrics ?? {}));
    });
    const from = await placeOf(visit, front);
    await findLine(visit.page, from, to);
    const edge = edges.find(({ client, server }) => client === front && server === store);
    await eventually(async () => {
      expect(await visit.page.getByRole('tooltip').getAttribute('data-kind')).toBe('edge');
      expect(await cardValues(visit.page)).toMatchObject(expected(edge?.metrics ?? {}));
    });
  });

  inBrowser('keeps a dragged node where it was put, after refresh and reload', async (visit) => {
    const [front, store] = [await keyOf('e2e-front'), await keyOf('e2e-store')];
    await drawn(visit);
    const other = await placeOf(visit, front);
    const from = await placeOf(visit, store);
    const { mouse } = visit.page;
    await mouse.move(from.x, from.y);
    await mouse.down();
    await mouse.move(from.x + 40, from.y + 50, { steps: 5 });
    await mouse.move(from.x + 70, from.y + 110, { steps: 5 });
    await mouse.up();
    const put = await markAt(visit.page, store);
    expect(Math.hypot(put.x - from.x - 70, put.y - from.y - 110)).toBeLessThan(6);
    await Promise.all([
      visit.page.waitForResponse('**/api/v1/map?**'),
      visit.page.keyboard.press('r'),
    ]);
    expect(await markAt(visit.page, store)).toEqual(put);
    expect(await placeOf(visit, front)).toEqual(other);
    const relative = { x: put.x - other.x, y: put.y - other.y };
    await visit.page.reload();
    await ready(visit);
    await eventually(async () => {
      // the camera fits the map to the window as data come: both places count once neither moves
      const otherAgain = await placeOf(visit, front);
      const again = await placeOf(visit, store);
      expect(await placeOf(visit, front)).toEqual(otherAgain);
      const scale = (again.x - otherAgain.x) / relative.x;
      expect(again.y - otherAgain.y).toBeCloseTo(relative.y * scale, -1);
    });
  });

  inBrowser('shrinks to a node and what it talks to, and comes back', async (visit) => {
    const names = await keyOf('e2e-names');
    const whole = await labMap();
    const near = await labMap({ focus: names, depth: '1' });
    expect(near.nodes.length).toBeLessThan(whole.nodes.length);
    await drawn(visit);
    const at = await placeOf(visit, names);
    await visit.page.mouse.dblclick(at.x, at.y);
    await eventually(async () => {
      expect(visit.params().get('focus')).toBe(names);
      expect(await count(visit, 'nodes')).toBe(near.nodes.length);
    });
    const further = await labMap({ focus: names, depth: '2' });
    await visit.page
      .getByRole('radiogroup', { name: /Steps/ })
      .getByText('2', { exact: true })
      .click();
    await eventually(async () => expect(await count(visit, 'nodes')).toBe(further.nodes.length));
    await visit.page.getByRole('button', { name: 'Back to the whole' }).click();
    await eventually(async () => expect(await count(visit, 'nodes')).toBe(whole.nodes.length));
    expect(visit.params().has('focus')).toBe(false);
  });

  inBrowser('finds a node by a few letters and selects it', async (visit) => {
    const store = await keyOf('e2e-store');
    await drawn(visit);
    const box = visit.page.getByRole('textbox', { name: 'Find a node by name' });
    await box.fill('2estor');
    await eventually(async () => expect(await visit.page.getByRole('option').count()).toBe(1));
    await box.press('Enter');
    await eventually(async () => expect(visit.params().get('selected')).toBe(store));
    expect(await row(visit.page, store).getAttribute('aria-selected')).toBe('true');
    await box.fill('zzzz');
    await visit.page.getByText('Nothing has such a name.').waitFor();
  });

  inBrowser('is coloured by another metric, in intervals of one’s own', async (visit) => {
    const { nodes } = await labMap();
    const store = nodes.find(({ entity }) => entity.name === 'e2e-store');
    await drawn(visit, { ...hide, fill: 'bytes_received' });
    const value = row(visit.page, store?.key ?? '').locator('[title^=Received]');
    await eventually(async () => {
      const title = (await value.getAttribute('title'))?.split('\n')[0]?.replace(/^.*: /, '');
      expect(exactNumber(title)).toBe(store?.metrics['bytes_received']);
    });
    await visit.page.getByRole('switch', { name: 'Custom intervals' }).press('Space');
    await eventually(async () => expect(visit.params().get('range')?.split(',')).toHaveLength(6));
    const highest = visit.page.getByRole('textbox', { name: 'Highest value' });
    await highest.fill('2 kB');
    await highest.press('Enter');
    await eventually(async () => expect(visit.params().get('range')).toMatch(/,2000$/));
    await visit.page.getByRole('slider', { name: 'Highest value coloured' }).press('ArrowLeft');
    await eventually(async () => expect(visit.params().get('range')).not.toMatch(/,2000$/));
  });

  inBrowser('can be used from the keyboard alone', async (visit) => {
    await drawn(visit);
    const list = visit.page.getByRole('listbox', { name: 'Nodes' });
    await list.focus();
    await list.press('Home');
    const first = visit.params().get('selected');
    expect(first).not.toBeNull();
    await list.press('ArrowDown');
    await eventually(async () => expect(visit.params().get('selected')).not.toBe(first));
    await list.press('Enter');
    await visit.page.locator('[role=menu]:focus-within').waitFor();
    const details = visit.page.getByRole('menuitem', { name: 'Details', exact: true });
    await visit.page.keyboard.press('ArrowDown');
    await visit.page.keyboard.press('ArrowDown');
    expect(await details.evaluate((item) => item === document.activeElement)).toBe(true);
    await visit.page.keyboard.press('Enter');
    await eventually(async () => {
      expect(visit.params().get('details')).toBe(visit.params().get('selected'));
    });
    await visit.page.getByRole('complementary', { name: 'Details' }).waitFor();
  });

  inBrowser('leads from a node to its flows', async (visit) => {
    const store = await keyOf('e2e-store');
    await drawn(visit);
    const at = await placeOf(visit, store);
    await visit.page.mouse.click(at.x, at.y);
    await visit.page.getByRole('menuitem', { name: 'Flow data' }).click();
    await visit.page.waitForURL('**/flows?**');
    expect(visit.params().get('filter')).toMatch(/process:e2e-store/);
    expect(visit.params().get('from')).toBe(String(lab.fromMs));
  });

  inBrowser('says so when nothing matches, and how to go on', async (visit) => {
    await drawnEmpty(visit);
    await visit.page.getByText('Nothing to draw').waitFor();
    await visit.page.locator('#main').getByRole('button', { name: 'Clear the filter' }).click();
    await eventually(async () => expect(visit.params().has('filter')).toBe(false));
    await ready(visit);
  });

  inBrowser('asks for two days of hosts and a quarter of an hour of processes', async (visit) => {
    const asked: string[] = [];
    visit.page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.pathname === '/api/v1/map') asked.push(url.searchParams.get('from') ?? '');
    });
    await visit.open('/map');
    await ready(visit);
    await visit.page.getByRole('radiogroup', { name: 'Level' }).getByText('Host').click();
    await eventually(async () => expect([...new Set(asked)]).toEqual(['now-15m', 'now-48h']));
  });

  for (const dark of [false, true]) {
    inBrowser(
      `is drawn on the page's own background, ${dark ? 'dark' : 'light'}`,
      async (visit) => {
        await drawn(visit);
        const background = await cornerOfPicture(visit);
        const page = await visit.page.evaluate(
          () => getComputedStyle(document.body).backgroundColor,
        );
        expect(`rgb(${background.join(', ')})`).toBe(page);
        expect(background[0] < 128).toBe(dark);
      },
      { dark },
    );
  }

  inBrowser(
    'fits a narrow screen, with the list a button away',
    async (visit) => {
      await drawn(visit);
      const { page } = visit;
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
        420,
      );
      expect(await page.getByRole('listbox').count()).toBe(0);
      await page.getByRole('button', { name: 'List of nodes and paths' }).click();
      await page.getByRole('listbox', { name: 'Nodes' }).waitFor();
    },
    { width: 420, height: 860 },
  );
});

/** Moves the pointer across the middle between two nodes until it is on a line. */
async function findLine(page: Page, from: Place, to: Place): Promise<void> {
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const across = { x: (to.y - from.y) / length, y: (from.x - to.x) / length };
  const card = page.locator('[role=tooltip][data-kind=edge]');
  for (let away = 4; away <= 72; away += 4) {
    await page.mouse.move(middle.x + across.x * away, middle.y + across.y * away);
    if (
      await card.waitFor({ timeout: 250 }).then(
        () => true,
        () => false,
      )
    )
      return;
  }
  throw new Error('no line lies between the two nodes');
}

async function drawnEmpty(visit: Visit): Promise<void> {
  const filter = `${labFilter} process:nobody-is-called-so`;
  await visit.open('/map', settled({ filter, ...hide }));
}

/** Red, green and blue of the first pixel of the saved picture. */
async function cornerOfPicture({ page }: Visit): Promise<[number, number, number]> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Save as PNG' }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/^weir-map-.*\.png$/);
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  const png = Buffer.concat(chunks).toString('base64');
  return page.evaluate(async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const surface = document.createElement('canvas');
    surface.width = image.width;
    surface.height = image.height;
    const context = surface.getContext('2d');
    context?.drawImage(image, 0, 0);
    const [red = 0, green = 0, blue = 0] = context?.getImageData(0, 0, 1, 1).data ?? [];
    return [red, green, blue] as [number, number, number];
  }, png);
}
