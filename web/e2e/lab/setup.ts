// What all browser tests share: a running Weir, steady traffic on loopback that it observes, and a
// stretch of time that has wholly passed, so that its numbers stand still.
import { existsSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { startTraffic, type Traffic } from './traffic';
import { startWeir, type RunningWeir } from './weir';

export const chromiumPath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** What a test file is given. */
export interface Lab {
  /** Why the tests cannot run here; null where they can. */
  skip: string | null;
  url: string;
  /** The settled time, Unix milliseconds. */
  fromMs: number;
  toMs: number;
}

declare module 'vitest' {
  interface ProvidedContext {
    lab: Lab;
  }
}

/** Length of the settled time: several windows of 10 seconds. */
const settledMs = 40_000;
const windowMs = 10_000;
const settleTimeoutMs = 150_000;
const pollMs = 500;

function reasonToSkip(): string | null {
  if (!existsSync(chromiumPath)) return `no browser: ${chromiumPath} does not exist (set CHROMIUM)`;
  if (process.env['WEIR_URL']) return null;
  if (process.getuid?.() !== 0)
    return 'not root: Weir needs it to load its probes (or set WEIR_URL)';
  return null;
}

interface StatusAnswer {
  agents: { last_window_ms: number | null }[];
}

/** Waits until every agent has handed in all windows up to then. */
async function settle(url: string, untilMs: number): Promise<void> {
  const deadline = Date.now() + settleTimeoutMs;
  while (Date.now() < deadline) {
    const answer = await fetch(`${url}/api/v1/status`);
    if (answer.ok) {
      const { agents } = (await answer.json()) as StatusAnswer;
      const isDone = (agent: StatusAnswer['agents'][0]) => (agent.last_window_ms ?? 0) >= untilMs;
      if (agents.length > 0 && agents.every(isDone)) return;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new Error(
    `the windows up to ${new Date(untilMs).toISOString()} did not arrive in ${settleTimeoutMs} ms`,
  );
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const skip = reasonToSkip();
  if (skip !== null) {
    project.provide('lab', { skip, url: '', fromMs: 0, toMs: 0 });
    return () => Promise.resolve();
  }
  let weir: RunningWeir | null = null;
  let traffic: Traffic | null = null;
  const stop = async () => {
    await traffic?.stop();
    await weir?.stop();
  };
  try {
    weir = await startWeir();
    traffic = await startTraffic();
    const fromMs = Math.ceil(Date.now() / windowMs) * windowMs;
    const toMs = fromMs + settledMs;
    await settle(weir.url, toMs);
    project.provide('lab', { skip: null, url: weir.url, fromMs, toMs });
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}
