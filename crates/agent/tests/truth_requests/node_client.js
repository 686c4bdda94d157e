// Asks `node_server.js`, or any that answers alike, over two connections that it keeps.
//
//     node_client.js ADDRESS PORT
'use strict';
const https = require('https');
const [host, port] = process.argv.slice(2);
const agent = new https.Agent({ keepAlive: true, maxSockets: 2 });

function ask(path, options = {}, body = []) {
  return new Promise((done, fail) => {
    const headers = { 'x-asked-us': String(Date.now() * 1000), ...options.headers };
    const how = { host, port, path, agent, rejectUnauthorized: false, ...options, headers };
    const request = https.request(how, (response) => {
      response.resume();
      response.on('end', done);
      response.on('error', fail);
    });
    request.on('error', options.timeout ? done : fail);
    request.on('timeout', () => request.destroy());
    for (const part of body) request.write(part);
    request.end();
  });
}

async function some(name) {
  for (let n = 0; n < 20; n++) await ask(`/items/${n}?key=value`);
  for (const path of ['/missing', '/broken', '/none', '/moved', '/parts', '/large?bytes=300000']) {
    await ask(path);
  }
  await ask('/items/7', { method: 'HEAD' });
  await ask('/items/7', { method: 'DELETE' });
  const length = { 'content-length': 500000 };
  await ask(`/stored/${name}`, { method: 'PUT', headers: length }, ['GET / HTTP/1.1\r\n\r\n'.repeat(1000), 'x'.repeat(482000)]);
  await ask(`/stored/${name}`, { method: 'POST' }, ['GET / HTTP/1.1\r\n\r\n', 'y'.repeat(20000)]);
  for (let n = 0; n < 10; n++) await ask(`/slow?ms=${5 * n}`);
}

async function main() {
  await Promise.all([some('first'), some('second')]);
  await ask('/silent', { timeout: 2000 });
  agent.destroy();
}

main().catch((err) => { console.error(err); process.exit(1); });
