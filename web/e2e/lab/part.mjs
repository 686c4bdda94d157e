// One process of the lab's traffic; what it is comes as JSON in its argument.
import { createSocket } from 'node:dgram';
import { createServer, get } from 'node:http';
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

({ store, names, front })[part.is](part);
