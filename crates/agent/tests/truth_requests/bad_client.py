"""Sends what is no HTTP, or only begins like it, to a server that takes and answers anything.

    bad_client.py ADDRESS PORT KIND

Prints, for `cut`, how many of its connections sent a whole request and how many a part of one.
"""

import random
import socket
import sys
import time

ADDRESS, PORT, KIND = sys.argv[1], int(sys.argv[2]), sys.argv[3]
CHANCE = random.Random(9)
# What has arrived is read before the connection ends, so that every call is the server's to see.
READ_S = 0.3
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


# GET http://a/cut: two fields of the static table, two literals
BLOCK = b"\x82\x86\x04\x04/cut\x01\x01a"
SETTINGS = frame(4, 0, 0, b"")
REQUEST = frame(1, 5, 1, BLOCK)

STRANGERS = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"get key\r\nset key 0 0 5\r\nhello\r\n",
    b"EHLO example.test\r\nMAIL FROM:<a@example.test>\r\n",
    b"AMQP\x00\x00\x09\x01",
    b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
    b"\x4a\x00\x00\x00\x0a8.0.35\x00" + bytes(60),
    b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02id",
    b"\x00\x1c\x12\x34\x01\x00\x00\x01" + bytes(20),
    b"OK /etc/passwd\r\n",
    b"HTTP/9.9 200 OK\r\n\r\n",
    b"GET\x00/ HTTP/1.1\r\n\r\n",
    b"\r\n\r\n\r\n",
    b"A" * 100_000,
]


def play(messages):
    """Each on a connection of its own, all at once."""
    socks = []
    for message in messages:
        sock = socket.create_connection((ADDRESS, PORT))
        socks.append(sock)
        try:
            sock.sendall(message)
        except ConnectionError:
            pass  # the server had read enough
    time.sleep(READ_S)
    for sock in socks:
        sock.close()


def cut():
    beginning = PREFACE + SETTINGS
    whole = beginning + REQUEST + frame(0, 1, 1, b"body")
    play([whole[:end] for end in range(1, len(whole) + 1)])
    print(4 + 9 + 1, len(REQUEST) - 1)


def flipped():
    frames = [REQUEST, frame(3, 0, 1, bytes(4)), frame(0, 1, 1, b"x" * 50), frame(9, 4, 1, BLOCK)]
    messages = []
    for n in range(200):
        message = bytearray(b"".join(CHANCE.choices(frames, k=12)))
        for _ in range(n % 7):
            message[CHANCE.randrange(len(message))] ^= 1 << CHANCE.randrange(8)
        messages.append(PREFACE + SETTINGS + bytes(message))
    play(messages)


def main():
    if KIND == "strangers":
        play(STRANGERS)
        play(CHANCE.randbytes(CHANCE.randrange(1, 30_000)) for _ in range(100))
    if KIND == "halves":
        play([b"GET /half HTTP/1.1\r\nHost: a\r\nUser-"] * 40)
        play([b"POST /binary HTTP/1.1\r\n\x00\xff\x07: \x01\r\n\r\n"] * 10)
    if KIND == "long":
        for size in (5_000, 100_000, 1_000_000):
            play([b"GET /long HTTP/1.1\r\nHost: a\r\nX: " + b"a" * size] * 20)
    if KIND == "cut":
        cut()
    if KIND == "flipped":
        flipped()


main()
