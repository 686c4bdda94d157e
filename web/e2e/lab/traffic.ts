// Steady traffic on loopback between three processes with names of their own: `e2e-front` asks
// `e2e-store` over HTTP and sends datagrams to `e2e-names`; now and then nobody listens.
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

export interface Traffic {
  stop: () => Promise<void>;
}

/** What a process of the lab is told to be. */
export type Part =
  { is: 'store' } | { is: 'names' } | { is: 'front'; storePort: number; namesPort: number };

const readyTimeoutMs = 15_000;

function start(part: Part): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(join(import.meta.dirname, 'part.mjs'), [JSON.stringify(part)], {
    execArgv: [],
  });
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`${part.is} did not start`)), readyTimeoutMs);
    child.once('message', (message) => {
      clearTimeout(timer);
      done({ child, port: Number(message) });
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(new Error(`${part.is} ended with ${code}`));
    });
  });
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (child.exitCode !== null) return done();
    child.once('exit', () => done());
    child.kill('SIGKILL');
  });
}

export async function startTraffic(): Promise<Traffic> {
  const children: ChildProcess[] = [];
  const stop = async () => {
    await Promise.all(children.map(end));
  };
  try {
    const store = await start({ is: 'store' });
    children.push(store.child);
    const names = await start({ is: 'names' });
    children.push(names.child);
    const front = await start({ is: 'front', storePort: store.port, namesPort: names.port });
    children.push(front.child);
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}
