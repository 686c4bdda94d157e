// What all pages share: appearance, keyboard, small screens, and the states of a page.
import { describe, expect } from 'vitest';
import { eventually, inBrowser, settled, useBrowser, type Visit } from './browser';
import { grid } from './table';

function paths(visit: Visit) {
  return grid(visit.page, 'Network paths');
}

function background(visit: Visit): Promise<string> {
  return visit.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
}

/** Of a colour like `rgb(13, 16, 20)`, 0 to 255. */
function lightness(color: string): number {
  const parts = (color.match(/\d+/g) ?? []).slice(0, 3).map(Number);
  return parts.reduce((sum, part) => sum + part, 0) / 3;
}

useBrowser();

describe('appearance', () => {
  inBrowser('is dark on demand and stays so', async (visit) => {
    await visit.open('/summary', settled());
    await paths(visit).waitFor();
    expect(lightness(await background(visit))).toBeGreaterThan(200);
    await visit.page.getByRole('button', { name: 'Switch to dark appearance' }).click();
    await eventually(async () => expect(lightness(await background(visit))).toBeLessThan(50));
    await visit.page.reload();
    await paths(visit).waitFor();
    expect(lightness(await background(visit))).toBeLessThan(50);
    const text = await visit.page.evaluate(() => getComputedStyle(document.body).color);
    expect(lightness(text)).toBeGreaterThan(180);
  });

  inBrowser(
    'follows the system until someone chooses',
    async (visit) => {
      await visit.open('/flows', settled());
      await grid(visit.page, 'Network flows').waitFor();
      expect(lightness(await background(visit))).toBeLessThan(50);
    },
    { dark: true },
  );

  for (const path of ['/summary', '/flows', '/status']) {
    inBrowser(
      `${path} fits a narrow screen`,
      async (visit) => {
        await visit.open(path, path === '/status' ? undefined : settled());
        await visit.page.getByRole('main').locator('[role=grid], table').first().waitFor();
        const width = await visit.page.evaluate(() => document.documentElement.scrollWidth);
        expect(width).toBeLessThanOrEqual(420);
        if (path === '/status') return;
        await visit.page.getByRole('button', { name: 'Show the filters' }).click();
        await visit.page.getByRole('dialog').getByText('Direction and protocol').waitFor();
      },
      { width: 420, height: 860 },
    );
  }
});

describe('keyboard', () => {
  inBrowser('reaches search, time and every page', async (visit) => {
    await visit.open('/summary', settled());
    await paths(visit).waitFor();
    await visit.page.keyboard.press('/');
    expect(await visit.page.evaluate(() => document.activeElement?.id)).toBe('weir-search');
    await visit.page.keyboard.type('g f');
    expect(visit.page.url()).toContain('/summary');
    await visit.page.keyboard.press('Escape');
    await visit.page.keyboard.press('Escape');
    await visit.page.keyboard.press('t');
    await visit.page.getByLabel('Type a range').waitFor();
    await visit.page.keyboard.press('Escape');
    await visit.page.getByLabel('Type a range').waitFor({ state: 'detached' });
    for (const [keys, path] of [
      ['f', '/flows'],
      ['m', '/map'],
      ['a', '/status'],
      ['s', '/summary'],
    ] as const) {
      // Both keys have to come soon after each other, which a busy machine may not manage at once.
      await eventually(async () => {
        if (new URL(visit.page.url()).pathname !== path) {
          await visit.page.keyboard.press('g');
          await visit.page.keyboard.press(keys);
        }
        expect(new URL(visit.page.url()).pathname).toBe(path);
      });
      await visit.page.locator(`nav a[data-status=active][href^="${path}"]`).waitFor();
    }
  });

  inBrowser('moves in the table and opens a row', async (visit) => {
    await visit.open('/summary', settled());
    await paths(visit).focus();
    await visit.page.keyboard.press('ArrowDown');
    await visit.page.keyboard.press('Enter');
    await visit.page.getByRole('complementary', { name: 'Details' }).waitFor();
    const selected = paths(visit).locator('[aria-selected=true]');
    await eventually(async () => expect(await selected.getAttribute('aria-rowindex')).toBe('2'));
    expect(await visit.page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe(
      'grid',
    );
  });

  inBrowser('r asks again, ? lists the keys', async (visit) => {
    await visit.open('/summary', settled());
    await paths(visit).waitFor();
    const asked = visit.page.waitForRequest((request) => request.url().includes('/api/v1/summary'));
    await visit.page.keyboard.press('r');
    await asked;
    await visit.page.keyboard.press('?');
    await visit.page.getByRole('dialog').getByText('Search and filter').waitFor();
    await visit.page.keyboard.press('Escape');
    await visit.page.getByRole('dialog').waitFor({ state: 'detached' });
  });
});

describe('states', () => {
  inBrowser('nothing matches: says so and offers the way back', async (visit) => {
    await visit.open('/summary', settled({ filter: 'server_process:no-such-process' }));
    await visit.page.getByText('Nothing matches the filter').waitFor();
    await visit.page.getByRole('main').getByRole('button', { name: 'Clear the filter' }).click();
    await paths(visit).waitFor();
    expect(visit.params().has('filter')).toBe(false);
  });

  inBrowser(
    'a failure: says what failed, keeps the rest, and can be tried again',
    async (visit) => {
      const pattern = '**/api/v1/summary?*';
      await visit.page.route(pattern, (route) =>
        route.fulfill({
          status: 400,
          contentType: 'application/problem+json',
          body: JSON.stringify({
            title: 'The store cannot be read',
            detail: 'disk I/O error',
            status: 400,
          }),
        }),
      );
      await visit.open('/summary', settled());
      await visit.page.getByText('The paths could not be loaded').waitFor();
      await visit.page.getByText(/disk I\/O error/).waitFor();
      await visit.page
        .getByRole('region', { name: 'Traffic', exact: true })
        .locator('canvas')
        .waitFor();
      await visit.page.unroute(pattern);
      await visit.page.getByRole('button', { name: 'Try again' }).click();
      await paths(visit).waitFor();
    },
    { errorsExpected: true },
  );

  inBrowser(
    'loading: grey rows first, then the last answer stays while the next loads',
    async (visit) => {
      let release: () => void = () => undefined;
      let held = new Promise<void>((done) => (release = done));
      await visit.page.route('**/api/v1/summary?*', async (route) => {
        await held;
        await route.continue();
      });
      await visit.open('/summary', settled());
      await visit.page.getByRole('main').getByLabel('Loading').waitFor();
      release();
      await paths(visit).waitFor();
      held = new Promise<void>((done) => (release = done));
      await paths(visit).getByRole('button', { name: 'Conns' }).click();
      await visit.page.locator('[role=grid][data-dimmed]').waitFor();
      expect(await paths(visit).locator('[aria-rowindex]').count()).toBeGreaterThan(0);
      release();
      await visit.page.locator('[role=grid][data-dimmed]').waitFor({ state: 'detached' });
    },
  );

  inBrowser(
    'a server that wants a token gets one',
    async (visit) => {
      let open = false;
      await visit.page.route('**/api/v1/**', async (route) => {
        const request = route.request();
        if (!request.url().endsWith('/session')) {
          if (open) return route.continue();
          return route.fulfill({
            status: 401,
            contentType: 'application/problem+json',
            body: '{"title":"A token is needed","detail":"sign in"}',
          });
        }
        open = request.postData() === '{"token":"right"}';
        return open
          ? route.fulfill({ status: 204 })
          : route.fulfill({
              status: 401,
              contentType: 'application/problem+json',
              body: '{"title":"The token is wrong","detail":"this is not the token of this server"}',
            });
      });
      await visit.open('/summary', settled());
      await visit.page.getByLabel('Token', { exact: true }).fill('wrong');
      await visit.page.getByRole('button', { name: 'Sign in' }).click();
      await visit.page.getByText('this is not the token of this server').waitFor();
      await visit.page.getByLabel('Token', { exact: true }).fill('right');
      await visit.page.getByRole('button', { name: 'Sign in' }).click();
      await paths(visit).waitFor();
    },
    { errorsExpected: true },
  );

  inBrowser('an address without a page says so', async (visit) => {
    await visit.open('/nowhere');
    await visit.page.getByText('There is no page at this address').waitFor();
    await visit.page.getByRole('link', { name: 'Go to the summary' }).click();
    await visit.page.waitForURL('**/summary');
  });
});
