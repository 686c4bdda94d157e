"""Asks `odd_server.py` for everything that it does, in ways that clients should not.

    odd_client.py ADDRESS PORT [tls]
"""

import socket
import ssl
import sys
import time

ADDRESS, PORT = sys.argv[1], int(sys.argv[2])
CONTEXT = ssl._create_unverified_context() if "tls" in sys.argv[3:] else None
OK_BYTES = len(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")


def connect():
    sock = socket.create_connection((ADDRESS, PORT))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return CONTEXT.wrap_socket(sock) if CONTEXT else sock


def head(target, method="GET", fields="", version="1.1"):
    return f"{method} {target} HTTP/{version}\r\nHost: a\r\n{fields}\r\n".encode()


def take(sock, length):
    while length > 0:
        data = sock.recv(min(length, 65536))
        assert data, "the server ended before its answer did"
        length -= len(data)


def until(sock, mark):
    data = b""
    while mark not in data:
        more = sock.recv(65536)
        assert more, f"{mark} did not come: {data}"
        data += more
    return data


def drain(sock):
    """Reads to the end, however that comes."""
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass
    sock.close()


def keep_alive():
    sock = connect()
    for n in range(30):
        sock.sendall(head(f"/users/{n}?key=value"))
        take(sock, OK_BYTES)
    for target in ("/missing", "/broken", "/no-content", "/not-modified"):
        sock.sendall(head(target))
        until(sock, b"\r\n\r\n")
    sock.sendall(head("/head", "HEAD"))
    until(sock, b"\r\n\r\n")
    sock.sendall(head("/last"))
    take(sock, OK_BYTES)
    sock.close()


def delays():
    sock = connect()
    for n in range(20):
        sock.sendall(head(f"/slow?ms={5 * n}"))
        take(sock, OK_BYTES)
    sock.close()


def pipelined():
    sock = connect()
    sock.sendall(head("/pipelined") * 20)
    take(sock, 20 * OK_BYTES)
    both = head("/pipelined", "POST", "Content-Length: 5\r\n") + b"GET /"
    both += head("/pipelined") + head("/missing")[:-20]
    sock.sendall(both)
    time.sleep(0.05)
    sock.sendall(head("/missing")[-20:])
    take(sock, 2 * OK_BYTES)
    until(sock, b"\r\n\r\n")
    sock.close()


def single_bytes():
    sock = connect()
    for byte in head("/single-bytes", "POST", "Content-Length: 3\r\n") + b"abc" + head("/drip"):
        sock.sendall(bytes([byte]))
    take(sock, 2 * OK_BYTES)
    sock.close()


def informational():
    sock = connect()
    for _ in range(3):
        sock.sendall(head("/hints"))
        data = b""
        while not data.endswith(b"hi"):
            data += sock.recv(65536)
        expect = "Content-Length: 100000\r\nExpect: 100-continue\r\n"
        sock.sendall(head("/wanted", "PUT", expect))
        until(sock, b"100 Continue\r\n\r\n")
        sock.sendall(b"GET /" * 20000)
        until(sock, b"Content-Length: 0\r\n\r\n")
        sock.sendall(head("/early", "PUT", "Content-Length: 100\r\n"))
        until(sock, b"no\n")
        sock.sendall(b"x" * 100)
    sock.sendall(head("/last"))
    take(sock, OK_BYTES)
    sock.close()


def bodies():
    sock = connect()
    for size in (0, 1, 5_000, 3_000_000):
        sock.sendall(head("/upload", "POST", f"Content-Length: {size}\r\n") + b"GET /" * (size // 5))
        sock.sendall(b"x" * (size % 5))
        take(sock, OK_BYTES)
        sock.sendall(head(f"/big?bytes={size}"))
        data = until(sock, b"\r\n\r\n")
        take(sock, size - len(data.split(b"\r\n\r\n", 1)[1]))
    for _ in range(3):
        sock.sendall(head("/chunks", "POST", "Transfer-Encoding: chunked\r\n"))
        for _ in range(3):
            sock.sendall(b"8\r\nGET / HT\r\n")
            time.sleep(0.005)
        sock.sendall(b"0\r\n\r\n")
        until(sock, b"HTTP/1.1\r\n\r\n")
    sock.close()


def other_protocols():
    sock = connect()
    sock.sendall(head("/upgrade", fields="Connection: Upgrade\r\nUpgrade: websocket\r\n"))
    until(sock, b"\r\n\r\n")
    for n in range(20):
        sock.sendall((b"\x82\x3e" + bytes([n]) * 62) if n else (b"GET / HTTP/1.1\r\n\r\n" * 4)[:64])
        take(sock, 64 + OK_BYTES)
    drain(sock)
    sock = connect()
    sock.sendall(head("example.test:443", "CONNECT"))
    until(sock, b"\r\n\r\n")
    sock.sendall((b"GET / HTTP/1.1\r\n\r\n" * 4)[:64])
    drain(sock)
    sock = connect()
    sock.sendall(head("/until-close", version="1.0"))
    drain(sock)


def ends():
    for target in (
        "/reset /hang-up /half-body /half-body-reset /half-chunk /half-head /half-line /until-reset"
    ).split():
        for _ in range(2):
            sock = connect()
            sock.sendall(head("/first"))
            take(sock, OK_BYTES)
            sock.sendall(head(target))
            drain(sock)
    for _ in range(3):
        sock = connect()
        sock.sendall(head("/silent"))
        time.sleep(0.05)
        sock.close()
    for _ in range(2):
        sock = connect()
        sock.sendall(head("/gone?bytes=64000000"))
        take(sock, 100_000)
        sock.close()
    sock = connect()
    sock.sendall(head("/die"))
    drain(sock)


for deed in (
    keep_alive,
    delays,
    pipelined,
    single_bytes,
    informational,
    bodies,
    other_protocols,
    ends,
):
    deed()
