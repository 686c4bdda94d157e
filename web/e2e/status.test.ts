// The status page: what is on the screen is what the API says; and, with answers that are simulated
// because no machine runs two thousand hosts, what it is like when there is much, little or trouble.
import { describe, expect } from 'vitest';
import type { Route } from 'playwright-core';
import type { components } from '../src/api/openapi.gen';
import { eventually, inBrowser, lab, useBrowser, type Visit } from './browser';

type Status = components['schemas']['Status'];
type Agent = components['schemas']['Agent'];

useBrowser();

async function realStatus(): Promise<Status> {
  return (await (await fetch(`${lab.url}/api/v1/status`)).json()) as Status;
}

/** Lets the page see the real answer, changed: a simulation. */
async function simulate(visit: Visit, change: (status: Status) => void): Promise<Status> {
  const status = await realStatus();
  change(status);
  const answer = (route: Route) =>
    route.fulfill({ contentType: 'application/json', body: JSON.stringify(status) });
  await visit.page.route('**/api/v1/status', answer);
  return status;
}

const minute = 60_000;

/** Hosts of three clusters; every 100th silent, every 250th with a clock 10 minutes ahead. */
function simulatedAgents(count: number, nowMs: number): Agent[] {
  return Array.from({ length: count }, (_, n): Agent => {
    const silent = n % 100 === 99;
    const off = n % 250 === 7;
    return {
      agent: `a-${n.toString(16).padStart(16, '0')}`,
      host: `node-${n}`,
      cluster: ['east', 'west', 'lab'][n % 3] as string,
      zone: `eu-${(n % 4) + 1}`,
      region: 'eu',
      provider: (['aws', 'gcp', 'azure', null] as const)[n % 4] ?? null,
      instance_type: 'm7.large',
      version: n % 40 === 0 ? '0.0.9' : '0.1.0',
      version_is: n % 40 === 0 ? 'older' : 'same',
      token: n % 3 === 2 ? '00c0ffee' : '1a2b3c4d',
      last_seen_ms: nowMs - (silent ? 17 * minute : (n % 10) * 1000),
      last_window_ms: nowMs - 10_000,
      sequence: n,
      clock_ahead_ms: off ? 10 * minute : (n % 5) - 2,
      clock_corrected_ms: off ? 10 * minute : null,
      is_stale: silent,
      rows: n * 1000,
      losses: n === 42 ? [loss(n)] : [],
      last_lost_ms: n === 42 ? nowMs - minute : null,
    };
  });
}

function loss(n: number): Agent['losses'][0] {
  return {
    kind: 'lost',
    component: 'spool',
    reason: 'full',
    count: 123_456,
    message: 'rows thrown away: the server was away for longer than the spool has room for',
    agents: [`a-${n}`],
  } as unknown as Agent['losses'][0];
}

function rows(visit: Visit) {
  return visit.page.getByRole('table', { name: 'Agents' }).locator('tr[data-agent]');
}

async function hosts(visit: Visit): Promise<string[]> {
  const cells = rows(visit).locator('td:first-child > div > span:first-child');
  return (await cells.allInnerTexts()).map((text) => text.trim());
}

describe('as it is', () => {
  inBrowser('agents and tables are those of the API', async (visit) => {
    await visit.open('/status');
    await rows(visit).first().waitFor();
    const status = await realStatus();
    expect(await rows(visit).count()).toBe(status.agents.length);
    expect(await hosts(visit)).toEqual(status.agents.map(({ host }) => host));
    for (const { agent, losses } of status.agents) {
      const row = visit.page.locator(`tr[data-agent="${agent}"]`);
      // A busy machine may lose something, and says so.
      const lost = losses.some(({ kind }) => kind === 'lost');
      expect(await row.innerText()).toContain(lost ? 'losing' : 'sending');
    }
    await visit.page.getByText(`weir ${status.version}`).waitFor();
    await visit.page.getByText(status.store.kind, { exact: true }).waitFor();
    const tables = visit.page.getByRole('table', { name: 'Stored tables' });
    expect(await tables.locator('tbody tr').count()).toBe(status.store.tables.length);
    for (const table of status.store.tables) {
      const row = tables.locator('tbody tr').filter({ has: visit.page.getByTitle(table.table) });
      const exact = (await row.locator('td').nth(1).getAttribute('title')) ?? '';
      // Rows go on coming between the two answers.
      const shown = Number(exact.replace(/[^\d]/g, ''));
      expect(shown).toBeLessThanOrEqual(table.rows);
      if (table.table === 'l4_flows') expect(shown).toBeGreaterThan(0);
    }
    expect(await visit.page.getByRole('region', { name: 'Clusters' }).count()).toBe(0);
  });
});

describe('two thousand agents (simulated)', () => {
  const many = (status: Status) => {
    status.agents = simulatedAgents(2000, status.now_ms);
    const token = { created_ms: status.now_ms - 86_400_000, last_used_ms: status.now_ms };
    status.agent_tokens = [
      { id: '1a2b3c4d', cluster: 'east', standing: 'good', agents: 1334, ...token },
      {
        id: '00c0ffee',
        cluster: 'lab',
        standing: 'expired',
        agents: 666,
        expires_ms: status.now_ms - minute,
        ...token,
      },
    ];
  };

  inBrowser('are listed in pages, ordered and found', async (visit) => {
    const { agents } = await simulate(visit, many);
    const started = Date.now();
    await visit.open('/status');
    await rows(visit).first().waitFor();
    expect(Date.now() - started).toBeLessThan(20_000);
    expect(await rows(visit).count()).toBe(50);
    expect((await hosts(visit)).slice(0, 3)).toEqual(['node-0', 'node-1', 'node-2']);
    await visit.page.getByRole('button', { name: 'Rows' }).click();
    await eventually(async () => expect((await hosts(visit))[0]).toBe('node-1999'));
    expect(visit.params().get('sort')).toBe('-rows');
    await visit.page.getByRole('button', { name: '40', exact: true }).click();
    await eventually(async () => expect((await hosts(visit)).at(-1)).toBe('node-0'));
    await visit.page.getByText('1,951 to 2,000 of 2,000 agents').waitFor();

    await visit.page.getByLabel('Find agents').fill('west eu-2');
    const wanted = agents.filter(({ cluster, zone }) => cluster === 'west' && zone === 'eu-2');
    await visit.page.getByText(`of ${wanted.length} agents`).waitFor();
    const shown = await hosts(visit);
    expect(wanted.map(({ host }) => host)).toEqual(expect.arrayContaining(shown));
    await visit.page.getByLabel('Find agents').fill('no such host');
    await visit.page.getByText('None of 2,000 agents has “no such host”.').waitFor();
  });

  inBrowser('those that need attention say why', async (visit) => {
    const { agents } = await simulate(visit, many);
    await visit.open('/status');
    const troubled = agents.filter(
      ({ is_stale, clock_corrected_ms, last_lost_ms, token }) =>
        is_stale || clock_corrected_ms || last_lost_ms || token === '00c0ffee',
    ).length;
    await visit.page.getByText(`Need attention ${troubled}`).click();
    await visit.page.getByText(`of ${troubled} agents`).waitFor();
    expect(visit.params().get('shown')).toBe('trouble');
    const state = async (host: string) => {
      await visit.page.getByLabel('Find agents').fill(host);
      await eventually(async () => expect((await hosts(visit))[0]).toBe(host));
      return (await rows(visit).first().innerText()).replaceAll(/\s+/g, ' ');
    };
    expect(await state('node-99')).toContain('silent');
    expect(await state('node-257')).toContain('10 min ahead');
    expect(await state('node-1001')).toContain('token expired');
    expect(await state('node-42')).toContain('losing');
    await visit.page.getByRole('button', { name: 'What is missing of node-42' }).click();
    await visit.page.getByText('rows thrown away').waitFor();
    const tokens = visit.page.getByRole('table', { name: 'Tokens' });
    expect(await tokens.innerText()).toContain('expired');
  });

  inBrowser(
    'are cards on a narrow screen',
    async (visit) => {
      await simulate(visit, many);
      await visit.open('/status');
      await rows(visit).first().waitFor();
      const width = await visit.page.evaluate(() => document.documentElement.scrollWidth);
      expect(width).toBeLessThanOrEqual(420);
      const card = await rows(visit).first().boundingBox();
      expect(card?.width).toBeLessThanOrEqual(400);
      const fits = await rows(visit)
        .first()
        .evaluate((row) => row.scrollWidth <= row.clientWidth);
      expect(fits).toBe(true);
      await visit.page.getByRole('combobox', { name: 'Order' }).click();
      await visit.page.getByRole('option', { name: 'By rows' }).click();
      await eventually(async () => expect((await hosts(visit))[0]).toBe('node-1999'));
    },
    { width: 420, height: 860 },
  );
});

describe('little and trouble (simulated)', () => {
  inBrowser('no agent: says how to begin', async (visit) => {
    await simulate(visit, (status) => {
      status.agents = [];
    });
    await visit.open('/status');
    await visit.page.getByText('No agent has sent anything yet').waitFor();
    await visit.page.getByText('weir token create').waitFor();
  });

  inBrowser('a cluster that forbids something names the rule', async (visit) => {
    const kind = {
      objects: 0,
      gone: 0,
      refused: 0,
      listed_ms: null,
      lists: 0,
      changes: 0,
      unreadable: 0,
      failures: 4,
    };
    const problem =
      'may not list pods at the cluster scope: give the service account a ClusterRole with the verbs get, list, watch for pods';
    await simulate(visit, (status) => {
      status.clusters = [
        {
          name: 'east',
          kinds: [
            { ...kind, resource: 'pods', problem, problem_since_ms: status.now_ms - minute },
            { ...kind, resource: 'nodes', objects: 12, listed_ms: status.now_ms - minute },
          ],
        },
      ];
    });
    await visit.open('/status');
    const cluster = visit.page.getByRole('table', { name: 'Cluster east' });
    await cluster.getByRole('alert').waitFor();
    expect(await cluster.getByRole('alert').innerText()).toContain(problem);
    expect(await cluster.locator('tbody tr').last().innerText()).toContain('12');
    expect(await cluster.locator('tbody tr').first().innerText()).toContain('not yet');
  });
});
