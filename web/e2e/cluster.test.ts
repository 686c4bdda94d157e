// A cluster's levels, filters and entity details, against a real server whose cluster is a double:
// nothing here is measured, everything is asked, stored, answered and shown.
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { eventually, inBrowser, lab, useBrowser, type Visit } from './browser';
import { clusterProblem, startCluster, type Cluster } from './lab/cluster';
import { grid, shownRows } from './table';

let cluster: Cluster;

useBrowser();
beforeAll(async () => {
  const problem = lab.skip ?? clusterProblem();
  if (problem !== null && lab.skip === null) throw new Error(problem);
  if (problem === null) cluster = await startCluster();
});
afterAll(async () => {
  await cluster?.stop();
});

const cart = 'pod:prod/shop/cart-5d8f2-p000';

function open(visit: Visit, page: string, params: Record<string, string> = {}): Promise<void> {
  const search = new URLSearchParams({ from: 'now-5m', ...params });
  return visit.open(`${cluster.url}${page}`, search);
}

async function ask<T>(path: string): Promise<T> {
  const answer = await fetch(`${cluster.url}/api/v1${path}`);
  expect(answer.status, await answer.clone().text()).toBe(200);
  return (await answer.json()) as T;
}

function drawer(visit: Visit): Locator {
  return visit.page.getByRole('complementary', { name: 'Details' });
}

const firstLine = (text: string | undefined) => text?.split('\n')[0];

async function pairs(visit: Visit): Promise<string[]> {
  const rows = await shownRows(grid(visit.page, 'Network paths'));
  return rows.map((row) => `${firstLine(row['client'])} ${firstLine(row['server'])}`);
}

describe('levels', () => {
  inBrowser(
    'a cluster opens at its workloads, namespaces tell two of a name apart',
    async (visit) => {
      await open(visit, '/summary');
      await eventually(async () => {
        const rows = await shownRows(grid(visit.page, 'Network paths'));
        const texts = rows.map((row) =>
          [row['client'], row['server']].join(' ').split(/\s+/).join(' '),
        );
        expect(texts).toContain('cart shop cart pay');
        expect(texts).toContain('worker load stock shop');
      });
      const level = visit.page.getByRole('radio', { name: 'Deployment' });
      expect(await level.isChecked()).toBe(true);
      expect(visit.params().has('level')).toBe(false);
    },
  );

  const levels = [
    { level: 'process', pair: 'front node-c', kind: 'Process' },
    { level: 'host', pair: 'node-a node-b', kind: 'Host' },
    { level: 'pod', pair: 'cart-5d8f2-p000 stock-0', kind: 'Pod' },
    { level: 'deployment', pair: 'cart ledger', kind: 'Deployment' },
    { level: 'service', pair: 'cart ledger', kind: 'Service' },
  ];
  for (const { level, pair, kind } of levels) {
    inBrowser(`summary, map and flows at level ${level}`, async (visit) => {
      await open(visit, '/summary', { level, layer: 'l4' });
      await eventually(async () => expect(await pairs(visit)).toContain(pair));
      const [name = ''] = pair.split(' ');
      await grid(visit.page, 'Network paths')
        .getByTitle(new RegExp(`^${kind} ${name}\\b`))
        .first()
        .waitFor();

      await open(visit, '/map', { level, layer: 'l4' });
      const list = visit.page
        .getByRole('complementary')
        .filter({ has: visit.page.getByPlaceholder('Find by name') });
      await list.getByText(name, { exact: true }).first().waitFor();

      await open(visit, '/flows', { level, layer: 'l4', every: '0' });
      const flows = grid(visit.page, 'Flows').or(visit.page.getByRole('grid')).first();
      await flows
        .getByTitle(new RegExp(`^${kind} `))
        .first()
        .waitFor();
    });
  }

  inBrowser('the map groups by what is chosen', async (visit) => {
    await open(visit, '/map', { level: 'pod' });
    const asked = visit.page.waitForRequest(/\/map\?.*group=zone/);
    await visit.page.locator('input[aria-label="Group nodes by"]').click();
    await visit.page.getByRole('option', { name: 'By zone' }).click();
    expect((await (await asked).response())?.status()).toBe(200);
    expect(visit.params().get('group')).toBe('zone');
    const drawn = () => visit.page.locator('[data-groups]').getAttribute('data-groups');
    await eventually(async () => expect(Number(await drawn())).toBeGreaterThan(1));
  });
});

describe('filters', () => {
  inBrowser('each label is a value of its own', async (visit) => {
    await open(visit, '/summary');
    const { facets } = await ask<{
      facets: { values: { value: string | null }[] }[];
    }>('/facets?from=now-5m&level=deployment&fields=labels&limit=50');
    const values = facets[0]?.values.map(({ value }) => value) ?? [];
    expect(values).toContain('app=ledger');
    expect(values.some((value) => value?.includes('\n'))).toBe(false);

    const section = visit.page.getByRole('region', { name: 'Cluster' });
    await section.getByRole('textbox', { name: 'Find a value of Labels' }).fill('app=ledger');
    await section.getByText('app=ledger').click();
    await eventually(async () => expect(await pairs(visit)).toEqual(['cart ledger']));
    expect(visit.params().get('filter')).toBe('labels:"app=ledger"');
  });

  inBrowser('the search box completes labels', async (visit) => {
    await open(visit, '/summary');
    await visit.page.getByRole('combobox', { name: 'Filter' }).click();
    await visit.page.keyboard.type('server_labels:app=st');
    await visit.page.getByRole('option', { name: /^app=stock/ }).click();
    await visit.page.keyboard.press('Enter');
    await eventually(async () => {
      expect((await pairs(visit)).every((pair) => pair.endsWith(' stock'))).toBe(true);
      expect(await pairs(visit)).toContain('worker stock');
    });
  });
});

describe('entity details', () => {
  inBrowser('the overview says what the API says', async (visit) => {
    const known = await ask<{ labels: Record<string, string>; flow_labels: string[] }>(
      `/entity?entity=${cart}`,
    );
    await open(visit, '/summary', { details: cart, tab: 'overview' });
    const facts = drawer(visit).getByLabel('Facts');
    await facts.getByText('node-c').waitFor();
    expect(await facts.innerText()).toMatch(/ReplicaSet\s+cart-5d8f2\s+of\s+Deployment\s+cart/);
    const labels = drawer(visit).getByRole('region', { name: 'Labels' });
    await labels.getByText(`${Object.keys(known.labels).length} labels`).waitFor();
    await labels.getByRole('button', { name: /^Show \d+ more$/ }).click();
    expect(await labels.locator('button[title^="Only "]').count()).toBe(known.flow_labels.length);
    await drawer(visit)
      .getByRole('region', { name: 'Annotations' })
      .getByText('prometheus.io/scrape')
      .waitFor();
    await labels.locator('button[title=\'Only labels:"app=cart"\']').click();
    await eventually(async () => expect(visit.params().get('filter')).toBe('labels:"app=cart"'));
  });

  inBrowser('what is wrong is said in words, events with how often', async (visit) => {
    await open(visit, '/summary', { details: 'pod:prod/pay/ledger-5d8f5-p000', tab: 'overview' });
    const problems = drawer(visit).getByRole('list', { name: 'Problems' });
    await problems.getByText('Container main: waiting: CrashLoopBackOff').waitFor();
    await drawer(visit).getByRole('tab', { name: 'Events' }).click();
    const events = drawer(visit).getByRole('list', { name: 'Events' });
    await events.getByText('Back-off restarting failed container main').waitFor();
    expect(await events.innerText()).toContain('×214');
    expect(visit.params().get('tab')).toBe('events');
  });

  inBrowser('a Service has its Pods, and each leads on', async (visit) => {
    await open(visit, '/summary', { details: 'service:prod/load/worker', tab: 'overview' });
    const pods = drawer(visit).getByRole('region', { name: 'Pods' });
    await pods.getByText('200 Pods').waitFor();
    await drawer(visit).getByLabel('Facts').getByText('80/tcp (on nodes 30080), 53/udp').waitFor();
    await pods.getByRole('textbox', { name: 'Find a Pod' }).fill('p137');
    await pods.getByRole('button', { name: /worker-5d8f6-p137/ }).click();
    await drawer(visit).getByRole('heading', { name: 'worker-5d8f6-p137' }).waitFor();
    expect(visit.params().get('tab')).toBe('overview');
  });

  inBrowser('a host has machine and agent', async (visit) => {
    await open(visit, '/summary', { level: 'host', details: 'host:node-c', tab: 'overview' });
    const facts = drawer(visit).getByLabel('Facts');
    await facts.getByText('Amazon Web Services').waitFor();
    await facts.getByText('sends').waitFor();
    await drawer(visit).getByText('DiskPressure: KubeletHasDiskPressure').waitFor();
    expect(await drawer(visit).getByRole('tab', { name: 'Logs' }).count()).toBe(0);
  });

  inBrowser('links elsewhere are filled in', async (visit) => {
    await open(visit, '/summary', { details: cart, tab: 'overview' });
    const link = drawer(visit).getByRole('link', { name: 'Pod logs' });
    expect(await link.getAttribute('href')).toMatch(
      /^https:\/\/logs\.example\/\?q=shop\/cart-5d8f2-p000&from=\d{13}&to=\d{13}$/,
    );
    expect(await drawer(visit).getByRole('link', { name: 'Trace' }).count()).toBe(0);
    await open(visit, '/flows', { layer: 'l7', every: '0' });
    await visit.page.locator('[aria-rowindex="1"] [data-column=time]').click();
    const trace = await visit.page.getByRole('link', { name: 'Trace' }).getAttribute('href');
    expect(trace).toMatch(/^https:\/\/traces\.example\/trace\/[0-9a-f]{32}$/);
  });

  inBrowser('the map leads to events and logs', async (visit) => {
    await open(visit, '/map', { level: 'pod' });
    await visit.page.getByPlaceholder('Find by name').fill('cart-5d8f2-p000');
    await visit.page
      .getByRole('button', { name: /^(More|Menu|Actions)/ })
      .first()
      .click();
    await visit.page.getByRole('menuitem', { name: 'Logs' }).click();
    await drawer(visit).getByRole('log').waitFor();
    expect(visit.params().get('details')).toBe(cart);
  });
});

describe('logs', () => {
  const shown = (visit: Visit) => drawer(visit).getByRole('log');

  inBrowser('are followed, searched and kept to a bound', async (visit) => {
    await open(visit, '/summary', { details: cart, tab: 'logs' });
    await shown(visit).getByText('request=9999', { exact: false }).waitFor();
    await drawer(visit)
      .getByText(/^500 lines/)
      .waitFor();
    await cluster.tell('log 2026-11-22T09:00:00Z a line of just now');
    await shown(visit).getByText('a line of just now').waitFor();
    await drawer(visit)
      .getByText(/^501 lines/)
      .waitFor();
    await drawer(visit).getByRole('textbox', { name: 'Find in these lines' }).fill('warn');
    await drawer(visit)
      .getByText(/^\d+ of 501 lines/)
      .waitFor();
    expect(await shown(visit).locator('mark').first().innerText()).toBe('WARN');

    await drawer(visit).getByRole('textbox', { name: 'Find in these lines' }).fill('');
    await drawer(visit).locator('input[aria-label="Lines before now"]').click();
    await visit.page.getByRole('option', { name: 'Last 5000 lines' }).click();
    await drawer(visit)
      .getByText(/^5,000 lines/)
      .waitFor();
    await cluster.tell('log one more');
    await shown(visit).getByText('one more').waitFor();
    await drawer(visit)
      .getByText(/^5,000 lines · 1 older one let go/)
      .waitFor();
    expect(await shown(visit).locator('time').count()).toBeLessThan(200);
  });

  inBrowser('end with the drawer', async (visit) => {
    let isOpen = false;
    visit.page.on('request', (request) => (isOpen ||= request.url().includes('/entity/logs')));
    visit.page.on('requestfailed', (request) => {
      if (request.url().includes('/entity/logs')) isOpen = false;
    });
    await open(visit, '/summary', { details: cart, tab: 'logs' });
    await shown(visit).waitFor();
    expect(isOpen).toBe(true);
    await visit.page.keyboard.press('Escape');
    await eventually(async () => expect(isOpen).toBe(false));
    expect(visit.params().has('tab')).toBe(false);
  });

  inBrowser(
    'that the service account may not read say which rule is missing',
    async (visit) => {
      await cluster.tell('forbid pods/log');
      try {
        await open(visit, '/summary', { details: cart, tab: 'logs' });
        await drawer(visit)
          .getByText(/ClusterRole needs a rule.*pods\/log/)
          .waitFor();
      } finally {
        await cluster.tell('allow pods/log');
      }
      await drawer(visit).getByRole('button', { name: 'Try again' }).click();
      await shown(visit).waitFor();
    },
    { errorsExpected: true },
  );

  inBrowser(
    'and states of an API server that is away are told apart from what is known',
    async (visit) => {
      await cluster.tell('down');
      try {
        await open(visit, '/summary', { details: cart, tab: 'overview' });
        await drawer(visit)
          .getByText(/What only the API server knows is missing/)
          .waitFor();
        await drawer(visit).getByLabel('Facts').getByText('node-c').waitFor();
      } finally {
        await cluster.tell('up');
      }
    },
    { errorsExpected: true },
  );
});
