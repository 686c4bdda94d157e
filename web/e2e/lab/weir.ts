// Starts this checkout's `weir up` on a free port with a data directory of its own, or takes the
// server that WEIR_URL names.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export interface RunningWeir {
  url: string;
  stop: () => Promise<void>;
}

const startTimeoutMs = 60_000;
const stopTimeoutMs = 15_000;

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** The URL of the line `ready http://...` that `weir up` writes once it watches and serves. */
export function untilReady(child: ChildProcess): Promise<string> {
  return new Promise((done, fail) => {
    let out = '';
    let talk = '';
    const timer = setTimeout(
      () => fail(new Error(`weir was not ready in ${startTimeoutMs} ms:\n${talk}`)),
      startTimeoutMs,
    );
    child.stderr?.on('data', (chunk: Buffer) => (talk += chunk.toString()));
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      const ready = /^ready (http:\S+)$/m.exec(out);
      if (!ready) return;
      clearTimeout(timer);
      done((ready[1] ?? '').replace(/\/$/, ''));
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(new Error(`weir ended with ${code} before it was ready:\n${talk}`));
    });
  });
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  await ended;
  clearTimeout(timer);
}

export async function startWeir(): Promise<RunningWeir> {
  const given = process.env['WEIR_URL'];
  if (given) return { url: given.replace(/\/$/, ''), stop: () => Promise.resolve() };
  const binary = resolve(import.meta.dirname, '../../../target/debug/weir');
  if (!existsSync(binary)) throw new Error(`${binary} is not built: cargo build --package weir`);
  const data = await mkdtemp(join(tmpdir(), 'weir-e2e-'));
  const listen = `127.0.0.1:${await freePort()}`;
  const args = ['up', '--data-dir', data, '--listen', listen, '--l7', 'true'];
  const child = spawn(binary, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = async () => {
    await end(child);
    await rm(data, { recursive: true, force: true });
  };
  try {
    return { url: await untilReady(child), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
