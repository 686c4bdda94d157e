// An HTTPS server of Node.js's that does what it is asked for, and logs every request.
//
//     node_server.js http1|http2 ADDRESS PORT LOG CERTIFICATE KEY
//
// A line of LOG is one request. `us` are two times, in microseconds: the wait for the answer's
// beginning was longer than from the handler's start to its first write, and shorter than from
// before the client asked, which it says in a header, to the answer's end.
'use strict';
const fs = require('fs');
const [version, address, port, path, cert, key] = process.argv.slice(2);
const log = fs.openSync(path, 'a');
const certificate = { cert: fs.readFileSync(cert), key: fs.readFileSync(key) };

const STATUS = { '/missing': 404, '/broken': 500, '/none': 204, '/moved': 301 };

function us() {
  return Math.floor(Number(process.hrtime.bigint() / 1000n));
}

function note(request, response, low) {
  const isAnswered = response.headersSent;
  // The clock of what clients say is told in milliseconds.
  const high = (Date.now() + 1) * 1000 - Number(request.headers['x-asked-us']);
  fs.writeSync(log, JSON.stringify({
    protocol: request.httpVersion === '2.0' ? 'http/2' : `http/${request.httpVersion}`,
    method: request.method,
    path: request.url,
    status: isAnswered ? response.statusCode : null,
    outcome: isAnswered ? 'answered' : 'unanswered',
    us: isAnswered ? [low, high] : null,
  }) + '\n');
}

function answer(request, response) {
  const { pathname, searchParams } = new URL(request.url, 'https://localhost');
  response.statusCode = STATUS[pathname] || 200;
  if (response.statusCode === 204) {
    response.end();
  } else if (pathname === '/parts') {
    response.write('a part');
    setTimeout(() => response.end('and the rest'), 10);
  } else {
    response.end('x'.repeat(Number(searchParams.get('bytes') || 2)));
  }
}

function handle(request, response) {
  const began = us();
  let low = 0;
  response.on('close', () => note(request, response, low));
  request.on('error', () => {});
  const begin = () => {
    low = Math.max(0, us() - began - 1);
    answer(request, response);
  };
  const ms = new URL(request.url, 'https://localhost').searchParams.get('ms');
  request.resume();
  request.on('end', () => {
    if (request.url === '/silent') return void console.log('asked');
    if (ms) setTimeout(begin, Number(ms));
    else begin();
  });
}

const server = version === 'http2'
  ? require('http2').createSecureServer(certificate, handle)
  : require('https').createServer(certificate, handle);
server.listen(Number(port), address, () => console.log('up'));
