"""Both ends of HTTP/2 with prior knowledge that write much at once: bodies and the header blocks
behind them in one call, cut anywhere. Frames and header blocks are put together here, with a dynamic
table (RFC 7541): whoever misses one block does not understand the ones after it.

    frames.py serve ADDRESS PORT LOG [CERTIFICATE KEY]
    frames.py ask ADDRESS PORT [tls]

A line of LOG is one request. Bodies are of bytes that look like frames.
"""

import json
import random
import socket
import ssl
import struct
import sys
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, CONTINUATION = 0, 1, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4
BATCHES, STREAMS = 40, 6
SIZES = [0, 5, 3000, 24 << 10, 100 << 10, 300 << 10]
FRAME_MAX = 16384
# Each pair of ends does the same with every run.
chance = random.Random(7)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def number(prefix, bits, value):
    """An integer (RFC 7541, section 5.1)."""
    top = (1 << bits) - 1
    if value < top:
        return bytes([prefix | value])
    out, value = bytes([prefix | top]), value - top
    while value >= 128:
        out, value = out + bytes([value % 128 | 128]), value // 128
    return out + bytes([value])


def text(value):
    return number(0, 7, len(value)) + value


class Encoder:
    """Puts every field that it says into the table; the table is never full."""

    def __init__(self):
        self.table = []

    def field(self, name, value, static=0):
        if (name, value) in self.table:
            return number(0x80, 7, 62 + len(self.table) - 1 - self.table.index((name, value)))
        self.table.append((name, value))
        return number(0x40, 6, static) + (b"" if static else text(name)) + text(value)


def body(size):
    return (frame(HEADERS, END_HEADERS, 1, b"\x82\x86\x84") * (size // 12 + 1))[:size]


def headers(stream, block, flags):
    """A header block, now and then in two frames."""
    if chance.random() < 0.2:
        at = chance.randrange(len(block))
        first = frame(HEADERS, flags, stream, block[:at])
        return first + frame(CONTINUATION, END_HEADERS, stream, block[at:])
    return frame(HEADERS, flags | END_HEADERS, stream, block)


def data(stream, size, ends):
    """Frames of DATA, as long as they may be or shorter."""
    out = []
    while size:
        part = min(size, FRAME_MAX if chance.random() < 0.7 else chance.randrange(1, FRAME_MAX))
        size -= part
        flags = END_STREAM if ends and not size else 0
        out.append(frame(DATA, flags, stream, body(part)))
    return out


def interleave(streams):
    """One list of the frames of several, which begin in their order, and of other frames between.

    Header blocks are made as they come to stand in it: they say what those before put in the table.
    """
    out, begun = [], []
    while streams or begun:
        if streams and (not begun or chance.random() < 0.3):
            # the stream that begins does so now, since their numbers may only grow
            begun.append(streams.pop(0))
            of = begun[-1]
        else:
            of = chance.choice(begun)
        part = next(of, None)
        if part is None:
            begun.remove(of)
        else:
            out.append(part)
        if chance.random() < 0.1:
            out.append(frame(PING, 0, 0, b"12345678"))
    return out


def write(connection, frames):
    """In calls of 24 to 100 KiB, of one buffer or of many, that end where they happen to end."""
    rest = memoryview(b"".join(frames))
    while rest:
        call, rest = rest[:(size := chance.randrange(24, 100) * 1024 + 5)], rest[size:]
        if chance.random() < 0.5 and not isinstance(connection, ssl.SSLSocket):
            cuts = sorted(chance.sample(range(len(call)), min(len(call), 150)))
            call = call[connection.sendmsg([call[a:b] for a, b in zip([0] + cuts, cuts)]):]
        connection.sendall(call)


class Reader:
    def __init__(self, connection):
        self.connection, self.held = connection, b""

    def take(self, size):
        while len(self.held) < size:
            got = self.connection.recv(chance.choice([9, 500, 24 << 10, 100 << 10]))
            if not got:
                return None
            self.held += got
        taken, self.held = self.held[:size], self.held[size:]
        return taken

    def frame(self):
        header = self.take(9)
        if header is None:
            return None
        kind, flags, stream = struct.unpack(">BBI", header[3:])
        return kind, flags, stream, self.take(int.from_bytes(header[:3], "big"))


def is_grpc(stream):
    return stream // 2 % 2 == 0


def path_of(stream):
    return "/do/" + "abcdefgh"[stream // 4 % 8] if is_grpc(stream) else "/get"


def request(encoder, stream):
    block = b"\x83" if is_grpc(stream) else b"\x82"
    block += b"\x86" + encoder.field(b":path", path_of(stream).encode(), 4)
    if is_grpc(stream):
        block += encoder.field(b"content-type", b"application/grpc", 31)
    if chance.random() < 0.1:
        # longer than what is looked at in one go, and not for the table
        block += b"\x00" + text(b"x-long") + text(b"v" * chance.randrange(900, 9000))
    size = chance.choice(SIZES) if is_grpc(stream) else 0
    yield headers(stream, block, 0 if size else END_STREAM)
    yield from data(stream, size, True)


def answer(encoder, stream):
    """The end is in the last frame of the body, or in the trailers."""
    size = chance.choice(SIZES)
    if not is_grpc(stream):
        yield headers(stream, b"\x88", 0 if size else END_STREAM)
        yield from data(stream, size, True)
        return
    yield headers(stream, b"\x88" + encoder.field(b"content-type", b"application/grpc", 31), 0)
    yield from data(stream, size, False)
    status = encoder.field(b"grpc-status", b"%d" % (stream % 5))
    yield headers(stream, status, END_STREAM)


def batches():
    for batch in range(BATCHES):
        yield [2 * (batch * STREAMS + n) + 1 for n in range(STREAMS)]


def until_ended(reader, streams):
    """Reads until all streams have ended; whose end it is, the flags say."""
    open_ = set(streams)
    while open_:
        kind, flags, stream, _ = reader.frame()
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            open_.remove(stream)


def ask(address, port, *tls):
    connection = socket.create_connection((address, int(port)))
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = context.wrap_socket(connection)
    connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
    reader, encoder = Reader(connection), Encoder()
    for streams in batches():
        write(connection, interleave([request(encoder, stream) for stream in streams]))
        until_ended(reader, streams)
    connection.close()


def note(log, stream, began):
    line = {
        "protocol": "grpc" if is_grpc(stream) else "http/2",
        "method": "POST" if is_grpc(stream) else "GET",
        "path": path_of(stream),
        "status": 200,
        "grpc_status": stream % 5 if is_grpc(stream) else None,
        "outcome": "answered",
        "us": [0, (time.monotonic_ns() - began) // 1000 + 1],
    }
    log.write(json.dumps(line) + "\n")


def serve(address, port, log, *certificate):
    listener = socket.create_server((address, int(port)))
    print("up", flush=True)
    connection, _ = listener.accept()
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        connection = context.wrap_socket(connection, server_side=True)
    began = time.monotonic_ns()
    connection.sendall(frame(SETTINGS, 0, 0))
    reader, encoder = Reader(connection), Encoder()
    reader.take(len(PREFACE))
    with open(log, "w") as log:
        for streams in batches():
            until_ended(reader, streams)
            write(connection, interleave([answer(encoder, stream) for stream in streams]))
            for stream in streams:
                note(log, stream, began)
    # lives on until all is told
    time.sleep(60)


{"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
