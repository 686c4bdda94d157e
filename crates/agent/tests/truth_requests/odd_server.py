"""A server of HTTP/1 that does what servers should not, and logs what it did.

    odd_server.py ADDRESS PORT LOG [CERTIFICATE KEY]

A line of LOG is one request. `us` are two times, in microseconds: the wait from the request's first
byte to the answer's first byte was between them, because the clock is read on both sides of each
call. The path says what to do.
"""

import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
HEAD_1000 = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LINGER_NOT = struct.pack("ii", 1, 0)

log = None
log_lock = threading.Lock()


class Gone(Exception):
    """The other end closed or reset."""


class Request:
    def __init__(self, head, began):
        lines = head.decode("latin-1").split("\r\n")
        self.method, target, self.version = lines[0].split(" ")
        url = urlsplit(target)
        self.path = url.path
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        pairs = [line.split(":", 1) for line in lines[1:] if line]
        self.fields = {name.lower(): value.strip() for name, value in pairs}
        self.began = began
        self.answered = None


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.held = b""
        # The calls that brought the first and the last of the held bytes.
        self.brought = self.latest = None

    def fill(self):
        if not (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
            wait_readable(self.sock)
        before = time.monotonic_ns()
        try:
            data = self.sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            raise Gone
        times = (before, time.monotonic_ns())
        if not self.held:
            self.brought = times
        self.held += data
        self.latest = times

    def take(self, length):
        while len(self.held) < length:
            self.fill()
        taken, self.held = self.held[:length], self.held[length:]
        return taken

    def until(self, mark):
        while mark not in self.held:
            self.fill()
        return self.take(self.held.index(mark) + len(mark))

    def request(self):
        """The next request's head; a pipelined one began with the call that brought it."""
        while not self.held:
            self.fill()
        began = self.brought
        head = self.until(b"\r\n\r\n")
        if self.held:
            self.brought = self.latest
        return Request(head, began)

    def body(self, request):
        if request.fields.get("transfer-encoding") == "chunked":
            while True:
                size = int(self.until(b"\r\n").split(b";")[0], 16)
                if size == 0:
                    while self.until(b"\r\n") != b"\r\n":
                        pass
                    break
                self.take(size + 2)
        self.take(int(request.fields.get("content-length", 0)))
        if self.held:
            self.brought = self.latest

    def send(self, data, request=None):
        """Sends; the first that is sent for `request` is its answer's beginning."""
        before = time.monotonic_ns()
        try:
            self.sock.sendall(data)
        except OSError as err:
            raise Gone from err
        if request is not None and request.answered is None:
            request.answered = (before, time.monotonic_ns())

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        raise Gone


def wait_readable(sock):
    import select

    select.select([sock], [], [])


def note(request, status, outcome="answered"):
    us = None
    if request.answered:
        (asked_low, asked_high), (low, high) = request.began, request.answered
        us = [max(0, low - asked_high) // 1000, (high - asked_low) // 1000 + 1]
    line = {
        "protocol": request.version.lower(),
        "method": request.method,
        "path": request.path,
        "status": status,
        "outcome": outcome,
        "us": us,
    }
    with log_lock:
        log.write(json.dumps(line) + "\n")
        log.flush()


def hi(connection, request):
    connection.body(request)
    time.sleep(int(request.query.get("ms", 0)) / 1000)
    connection.send(OK, request)
    note(request, 200)


def give_up(connection, request):
    """Says that it was asked, and answers when nobody waits any more."""
    print("asked", flush=True)
    wait_readable(connection.sock)
    try:
        connection.send(OK, request)
    except Gone:
        note(request, None, "unanswered")
        raise
    note(request, 200)


def drip(connection, request):
    for byte in OK:
        connection.send(bytes([byte]), request)
    note(request, 200)


def status_only(text):
    def answer(connection, request):
        connection.send(b"HTTP/1.1 " + text + b"\r\n\r\n", request)
        note(request, int(text[:3]))

    return answer


def hints(connection, request):
    connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
    time.sleep(0.02)
    connection.send(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
    time.sleep(0.02)
    hi(connection, request)


def wanted(connection, request):
    connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.body(request)
    connection.send(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", request)
    note(request, 201)


def early(connection, request):
    connection.send(b"HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\n\r\nno\n", request)
    connection.body(request)
    note(request, 413)


def chunks(connection, request):
    connection.body(request)
    connection.send(CHUNKED + b"3;name=value\r\nabc\r\n", request)
    time.sleep(0.01)
    connection.send(b"400\r\n" + b"x" * 0x400 + b"\r\n5\r\nGET /\r\n")
    connection.send(b"0\r\nTrailer: GET / HTTP/1.1\r\n\r\n")
    note(request, 200)


def big(connection, request):
    connection.body(request)
    size = int(request.query["bytes"])
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, request)
    try:
        for _ in range(size // 65536):
            connection.send(b"z" * 65536)
        connection.send(b"z" * (size % 65536))
    except Gone:
        note(request, 200, "aborted")
        raise
    note(request, 200)


def upgrade(connection, request):
    connection.send(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        request,
    )
    note(request, 101)
    for _ in range(20):
        connection.send(connection.take(64)[::-1] + OK)
    raise Gone


def tunnel(connection, request):
    connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n", request)
    note(request, 200)
    connection.take(64)
    connection.send(OK + OK)
    raise Gone


def until_close(connection, request):
    connection.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"all that there is " * 100, request)
    connection.send(b"until the end")
    note(request, 200)
    raise Gone


def silent(connection, request):
    note(request, None, "unanswered")
    connection.take(1)


def reset(connection, request):
    note(request, None, "unanswered")
    connection.reset()


def hang_up(connection, request):
    note(request, None, "unanswered")
    raise Gone


def begin_and(data, end):
    def answer(connection, request):
        connection.send(data, request)
        time.sleep(0.02)
        is_line_whole = b"\n" in data
        if not is_line_whole:
            request.answered = None
        outcome = "aborted" if is_line_whole else "unanswered"
        note(request, 200 if is_line_whole else None, outcome)
        end(connection)

    return answer


def end(_):
    raise Gone


def die(_):
    os._exit(0)


DEEDS = {
    "/drip": drip,
    "/give-up": give_up,
    "/no-content": status_only(b"204 No Content"),
    "/not-modified": status_only(b"304 Not Modified\r\nContent-Length: 500"),
    "/missing": status_only(b"404 Not Found\r\nContent-Length: 0"),
    "/broken": status_only(b"500 Oops\r\nContent-Length: 0"),
    "/head": status_only(b"200 OK\r\nContent-Length: 5000"),
    "/hints": hints,
    "/wanted": wanted,
    "/early": early,
    "/chunks": chunks,
    "/big": big,
    "/gone": big,
    "/upgrade": upgrade,
    "/until-close": until_close,
    "/silent": silent,
    "/reset": reset,
    "/hang-up": hang_up,
    "/half-body": begin_and(HEAD_1000 + b"half", end),
    "/half-body-reset": begin_and(HEAD_1000 + b"half", Connection.reset),
    "/half-chunk": begin_and(CHUNKED + b"10\r\nhalf", end),
    "/half-head": begin_and(b"HTTP/1.1 200 OK\r\nContent-Le", end),
    "/half-line": begin_and(b"HTTP/1.1 2", end),
    "/until-reset": begin_and(b"HTTP/1.1 200 OK\r\n\r\nhalf", Connection.reset),
    "/die": begin_and(HEAD_1000 + b"half", die),
}


def serve(sock, context):
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            sock = context.wrap_socket(sock, server_side=True)
        connection = Connection(sock)
        while True:
            request = connection.request()
            if request.method == "CONNECT":
                request.path = "example.test:443"
                tunnel(connection, request)
            DEEDS.get(request.path, hi)(connection, request)
    except (Gone, ssl.SSLError, ConnectionError):
        pass
    finally:
        sock.close()


def main():
    global log
    address, port, path, *certificate = sys.argv[1:]
    log = open(path, "a")
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    listener = socket.create_server((address, int(port)), backlog=128)
    print("up", flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock, context), daemon=True).start()


main()
