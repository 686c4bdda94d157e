// What every browser test starts from: a page of its own that notes what goes wrong in it, and the
// API to compare the screen with.
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, it, type TestContext } from 'vitest';
import { chromiumPath, type Lab } from './lab/setup';

/** How long a thing may take to show on a busy machine. */
export const patienceMs = 60_000;

const flags = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
];

export const lab: Lab = inject('lab');

/** The traffic of the lab and nothing else of this machine. */
export const labFilter = 'process:e2e-*';

/** The settled time, as it stands in the address bar and in the API's parameters. */
export function settled(extra: Record<string, string> = {}): URLSearchParams {
  return new URLSearchParams({
    from: String(lab.fromMs),
    to: String(lab.toMs),
    filter: labFilter,
    ...extra,
  });
}

export async function api<T>(path: string, params: URLSearchParams): Promise<T> {
  const answer = await fetch(`${lab.url}/api/v1${path}?${params}`);
  expect(answer.status, await answer.clone().text()).toBe(200);
  return (await answer.json()) as T;
}

let browser: Browser | null = null;

export interface Visit {
  page: Page;
  context: BrowserContext;
  /** Messages of level error in the page's console, and errors that nothing caught. */
  errors: string[];
  /** Addresses outside of the server that the page asked for. */
  strangers: string[];
  open: (path: string, params?: URLSearchParams) => Promise<void>;
  /** The address bar's parameters. */
  params: () => URLSearchParams;
}

export interface VisitOptions {
  width?: number;
  height?: number;
  dark?: boolean;
}

/** Where a page is: of the lab, unless the address names a server of its own. */
function addressOf(path: string, params: URLSearchParams | undefined): string {
  const address = path.startsWith('/') ? lab.url + path : path;
  return params ? `${address}?${params}` : address;
}

async function visit(options: VisitOptions): Promise<Visit> {
  if (!browser) throw new Error('the browser has not started');
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: options.height ?? 900 },
    colorScheme: options.dark ? 'dark' : 'light',
    acceptDownloads: true,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(patienceMs);
  const errors: string[] = [];
  const strangers: string[] = [];
  let home = new URL(lab.url).origin;
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol.startsWith('http') && origin !== home) strangers.push(request.url());
  });
  return {
    page,
    context,
    errors,
    strangers,
    open: async (path, params) => {
      const address = addressOf(path, params);
      home = new URL(address).origin;
      await page.goto(address);
    },
    params: () => new URL(page.url()).searchParams,
  };
}

/** Starts the browser once for a file of tests; call it at the top of the file. */
export function useBrowser(): void {
  beforeAll(async () => {
    if (lab.skip === null)
      browser = await chromium.launch({ executablePath: chromiumPath, args: flags });
  });
  afterAll(async () => {
    await browser?.close();
    browser = null;
  });
}

/** A test with a page of its own; it also fails when the page reports an error or goes elsewhere. */
export function inBrowser(
  name: string,
  test: (visit: Visit) => Promise<void>,
  options: VisitOptions & { errorsExpected?: boolean } = {},
): void {
  it(name, async (context: TestContext) => {
    if (lab.skip !== null) context.skip(lab.skip);
    const opened = await visit(options);
    try {
      await test(opened);
      if (!options.errorsExpected) expect(opened.errors).toEqual([]);
      expect(opened.strangers).toEqual([]);
    } finally {
      await opened.context.close();
    }
  });
}

/** Waits until what is read from the page is as expected; says the last difference otherwise. */
export async function eventually(check: () => Promise<void>): Promise<void> {
  await expect
    .poll(async () => check().then(() => 'as expected', String), { timeout: patienceMs })
    .toBe('as expected');
}
