// One process of the lab's traffic; what it is comes as JSON in its argument.
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns';
import { Agent, createServer, get, request } from 'node:http';
import { connect } from 'node:net';

const part = JSON.parse(process.argv[2]);
// On Linux this is the name that the kernel knows the process by.
process.title = `e2e-${part.is}`;

/** Ends with the test run, however that ended. */
process.on('disconnect', () => process.exit(0));

const ready = (port) => process.send(port);

/** Nothing listens on the discard port of a machine that serves tests. */
const closedPort = 9;
const requestEveryMs = 250;
const bodyBytes = 20_000;

function store() {
  const body = Buffer.alloc(bodyBytes, 'x');
  const server = createServer((_, response) => response.end(body));
  server.listen(0, '127.0.0.1', () => ready(server.address().port));
}

function names() {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) =>
    socket.send(Buffer.concat([message, message]), from.port, from.address),
  );
  socket.bind(0, '127.0.0.1', () => ready(socket.address().port));
}

function front({ storePort, namesPort }) {
  const socket = createSocket('udp4');
  socket.on('message', () => undefined);
  let turn = 0;
  setInterval(() => {
    turn += 1;
    get({ host: '127.0.0.1', port: storePort, path: '/', agent: false }, (response) =>
      response.resume(),
    );
    socket.send('ask', namesPort, '127.0.0.1');
    if (turn % 8 === 0)
      connect({ host: '127.0.0.1', port: closedPort }).on('error', () => undefined);
  }, requestEveryMs);
  ready(0);
}

/** What the API answers, by the first part of the path: status, and after how long. */
const answers = {
  items: { status: 200, afterMs: 20 },
  missing: { status: 404, afterMs: 0 },
  orders: { status: 500, afterMs: 5 },
};

function api() {
  const server = createServer((asked, response) => {
    const { status, afterMs } = answers[asked.url.split('/')[1]];
    const answer = () => response.writeHead(status).end('{}');
    asked.resume();
    if (afterMs === 0) answer();
    else setTimeout(answer, afterMs);
  });
  server.listen(0, '127.0.0.1', () => ready(server.address().port));
}

/** One round: five that go well, two that ask for what is not there, one that the server fails. */
const round = [
  ['GET', 'items'],
  ['GET', 'items'],
  ['GET', 'missing'],
  ['GET', 'items'],
  ['GET', 'items'],
  ['GET', 'missing'],
  ['GET', 'items'],
  ['POST', 'orders'],
];
const askEveryMs = 50;

function shop({ apiPort, dnsAddress }) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let turn = 0;
  setInterval(() => {
    const [method, kind] = round[turn % round.length];
    turn += 1;
    const path = `/${kind}/${10_000 + turn}`;
    const traceparent = `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
    const options = { host: '127.0.0.1', port: apiPort, path, method, agent };
    request({ ...options, headers: { traceparent } }, (response) => response.resume()).end();
  }, askEveryMs);
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([dnsAddress]);
  setInterval(() => {
    resolver.resolve4('shop.e2e.test', () => undefined);
    resolver.resolve4('gone.e2e.test', () => undefined);
  }, lookUpEveryMs);
  ready(0);
}

const lookUpEveryMs = 400;
const dnsHeaderBytes = 12;
const noSuchName = 3;

/** Knows one name: others it says do not exist (RFC 1035, section 4.1). */
function dns({ dnsAddress }) {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const isKnown = query
      .subarray(dnsHeaderBytes + 1)
      .toString('latin1')
      .startsWith('shop');
    const header = Buffer.from(query.subarray(0, dnsHeaderBytes));
    header.writeUInt16BE(0x8180 | (isKnown ? 0 : noSuchName), 2);
    header.writeUInt16BE(isKnown ? 1 : 0, 6);
    header.fill(0, 8);
    const question = query.subarray(dnsHeaderBytes, query.indexOf(0, dnsHeaderBytes) + 5);
    const record = Buffer.from('c00c00010001000000010004' + '7f000001', 'hex');
    const parts = isKnown ? [header, question, record] : [header, question];
    socket.send(Buffer.concat(parts), from.port, from.address);
  });
  socket.bind(53, dnsAddress, () => ready(53));
}

({ store, names, front, api, shop, dns })[part.is](part);
