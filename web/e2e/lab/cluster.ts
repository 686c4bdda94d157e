// A server that watches a cluster which is not there: `cluster_double` is its API server and sends
// what the agents of its nodes would send. The server itself is the real one.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { end, freePort, untilReady } from './weir';

export interface Cluster {
  url: string;
  /** Tells the double: `down`, `up`, `forbid LIST`, `allow LIST`, `log LINE`. */
  tell: (command: string) => Promise<void>;
  stop: () => Promise<void>;
}

const built = (name: string) => resolve(import.meta.dirname, '../../../target/debug', name);

/** Why these tests cannot run; null where they can. */
export function clusterProblem(): string | null {
  for (const [name, how] of [
    ['weir', '--package weir'],
    ['examples/cluster_double', '--package weir-server --example cluster_double'],
  ] as const) {
    if (!existsSync(built(name))) return `${name} is not built: cargo build ${how}`;
  }
  return null;
}

type Double = ChildProcessByStdio<Writable, Readable, null>;

/** Its answers, line by line. */
function talkTo(double: Double): (command?: string) => Promise<string> {
  const lines = createInterface({ input: double.stdout })[Symbol.asyncIterator]();
  return async (command) => {
    if (command !== undefined) double.stdin.write(`${command}\n`);
    const { value, done } = (await lines.next()) as { value?: string; done?: boolean };
    if (done || value === undefined) throw new Error('the double of the cluster ended');
    return value;
  };
}

const links = [
  'Pod_logs=https://logs.example/?q={namespace}/{pod}&from={from_ms}&to={to_ms}',
  'Trace=https://traces.example/trace/{trace_id}',
];

/** Waits until the server has listed what the double has. */
async function untilListed(url: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const answer = await fetch(`${url}/api/v1/status`);
    const { clusters } = (await answer.json()) as {
      clusters: { kinds: { listed_ms: number | null }[] }[];
    };
    const kinds = clusters.flatMap((cluster) => cluster.kinds);
    if (kinds.length > 0 && kinds.every(({ listed_ms: listed }) => listed !== null)) return;
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error('the server did not list the cluster');
}

export async function startCluster(): Promise<Cluster> {
  const double = spawn(built('examples/cluster_double'), { stdio: ['pipe', 'pipe', 'inherit'] });
  const say = talkTo(double);
  const data = await mkdtemp(join(tmpdir(), 'weir-e2e-cluster-'));
  const where = JSON.parse(await say()) as { url: string; ca_file: string; token_file: string };
  const listen = `127.0.0.1:${await freePort()}`;
  const flags = {
    listen,
    'data-dir': data,
    links: links.join(' '),
    'kubernetes-cluster': 'prod',
    'kubernetes-url': where.url,
    'kubernetes-ca-file': where.ca_file,
    'kubernetes-token-file': where.token_file,
  };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const weir = spawn(built('weir'), ['server', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = async () => {
    double.kill('SIGKILL');
    await end(weir);
    await rm(data, { recursive: true, force: true });
  };
  try {
    const url = await untilReady(weir);
    await untilListed(url);
    await say(`feed ${listen}`);
    return { url, tell: async (command) => void (await say(command)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
