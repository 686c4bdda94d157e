// Steady traffic on loopback between processes with names of their own: `e2e-front` asks `e2e-store`
// over HTTP and sends datagrams to `e2e-names`; now and then nobody listens. `e2e-shop` sends rounds
// of requests to `e2e-api`, whose statuses and delays are known, and looks up names at `e2e-dns`.
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

export interface Traffic {
  stop: () => Promise<void>;
}

/** What a process of the lab is told to be. */
export type Part =
  | { is: 'store' | 'names' | 'api' }
  | { is: 'dns'; dnsAddress: string }
  | { is: 'front'; storePort: number; namesPort: number }
  | { is: 'shop'; apiPort: number; dnsAddress: string };

/** An address of loopback that nothing else has a name server at. */
export const dnsAddress = '127.0.0.77';

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
    const port = async (part: Part) => {
      const started = await start(part);
      children.push(started.child);
      return started.port;
    };
    const storePort = await port({ is: 'store' });
    const namesPort = await port({ is: 'names' });
    await port({ is: 'front', storePort, namesPort });
    await port({ is: 'dns', dnsAddress });
    const apiPort = await port({ is: 'api' });
    await port({ is: 'shop', apiPort, dnsAddress });
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}
