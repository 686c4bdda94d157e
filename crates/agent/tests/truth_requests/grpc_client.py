"""Calls all methods of `grpc_server.py`, many at once over one connection, and logs what came of it.

    grpc_client.py ADDRESS PORT LOG [CERTIFICATE] [large]

A line of LOG is one call. `us` are two times, in microseconds: the wait for the answer's beginning
at the server is longer than the server was told to wait and shorter than the client waited.
"""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc

ADDRESS, PORT, LOG = sys.argv[1:4]
IS_LARGE = "large" in sys.argv[4:]
CERTIFICATES = [arg for arg in sys.argv[4:] if arg != "large"]
log = open(LOG, "a")
log_lock = threading.Lock()


def note(method, code, began, low=0, outcome="answered", answered=None):
    """`answered` is when the client had the first of the answer; None is now."""
    high = ((answered or time.monotonic_ns()) - began) // 1000 + 1
    has_answer = outcome != "unanswered"
    line = {
        "protocol": "grpc",
        "method": "POST",
        "path": f"/shop.Orders/{method}",
        "status": 200 if has_answer else None,
        "grpc_status": code.value[0] if code else None,
        "outcome": outcome,
        "us": [low, high] if has_answer else None,
    }
    with log_lock:
        log.write(json.dumps(line) + "\n")
        log.flush()


class Caller:
    def __init__(self, channel):
        self.channel = channel

    def unary(self, method, request=b"hello", low=0, metadata=()):
        began = time.monotonic_ns()
        try:
            self.channel.unary_unary(f"/shop.Orders/{method}")(request, metadata=metadata)
            code = grpc.StatusCode.OK
        except grpc.RpcError as err:
            code = err.code()
        note(method, code, began, low)

    def stream(self, method, cancel_after=None):
        began = time.monotonic_ns()
        call = self.channel.unary_stream(f"/shop.Orders/{method}")(b"all")
        code, answered, count = grpc.StatusCode.OK, None, 0
        try:
            for _ in call:
                answered = answered or time.monotonic_ns()
                count += 1
                if count == cancel_after:
                    call.cancel()
        except grpc.RpcError as err:
            code = err.code()
        if cancel_after:
            note(method, None, began, 0, "aborted", answered)
        else:
            note(method, code, began, 0, "answered", answered)

    def total(self):
        began = time.monotonic_ns()
        parts = (time.sleep(0.005) or b"x" * 200 for _ in range(5))
        assert self.channel.stream_unary("/shop.Orders/Total")(parts) == b"1000"
        note("Total", grpc.StatusCode.OK, began, 0)

    def echo(self):
        began = time.monotonic_ns()
        parts = (time.sleep(0.005) or b"%d" % n * 200 for n in range(10))
        answered = None
        for _ in self.channel.stream_stream("/shop.Orders/Echo")(parts):
            answered = answered or time.monotonic_ns()
        note("Echo", grpc.StatusCode.OK, began, 0, "answered", answered)

    def give_up(self):
        began = time.monotonic_ns()
        call = self.channel.unary_unary("/shop.Orders/Silent").future(b"")
        time.sleep(0.2)
        call.cancel()
        note("Silent", None, began, 0, "unanswered")


def connect():
    if not CERTIFICATES:
        return grpc.insecure_channel(f"{ADDRESS}:{PORT}")
    with open(CERTIFICATES[0], "rb") as certificate:
        credentials = grpc.ssl_channel_credentials(certificate.read())
    is_named = (("grpc.ssl_target_name_override", "localhost"),)
    return grpc.secure_channel(f"{ADDRESS}:{PORT}", credentials, is_named)


def main():
    with connect() as channel:
        caller = Caller(channel)
        caller.unary("Get")
        deeds = []
        if IS_LARGE:
            for _ in range(20):
                deeds.append(lambda: caller.unary("Get", b"x" * 200_000))
        for n in range(60):
            metadata = ((f"x-name-{n}", "v" * 100), ("x-request", str(n)))
            deeds.append(lambda metadata=metadata: caller.unary("Get", metadata=metadata))
        for n in range(10):
            ms = 10 * n
            deeds.append(lambda ms=ms: caller.unary("Slow", b"%d" % ms, ms * 1000))
        for _ in range(4):
            for method in ("Missing", "Refused", "Broken", "Absent"):
                deeds.append(lambda method=method: caller.unary(method))
            deeds.append(lambda: caller.stream("Five"))
            deeds.append(lambda: caller.stream("TwoOfFive"))
            deeds.append(caller.total)
            deeds.append(caller.echo)
        for _ in range(3):
            deeds.append(lambda: caller.stream("Endless", cancel_after=3))
            deeds.append(caller.give_up)
        with ThreadPoolExecutor(max_workers=12) as pool:
            for done in [pool.submit(deed) for deed in deeds]:
                done.result()


main()
