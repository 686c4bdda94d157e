"""A gRPC server whose methods do what their names say.

    grpc_server.py ADDRESS PORT [CERTIFICATE KEY]
"""

import sys
import time
from concurrent import futures

import grpc


def slow(request, context):
    time.sleep(int(request) / 1000)
    return b"at last"


def missing(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")


def refused(request, context):
    context.set_code(grpc.StatusCode.FAILED_PRECONDITION)
    return b"an answer all the same"


def broken(request, context):
    raise RuntimeError("on purpose")


def five(request, context):
    for n in range(5):
        time.sleep(0.01)
        yield b"%d" % n * 100


def two_of_five(request, context):
    yield b"1"
    yield b"2"
    context.abort(grpc.StatusCode.UNAVAILABLE, "no more")


def endless(request, context):
    while context.is_active():
        yield b"more"
        time.sleep(0.01)


def silent(request, context):
    while context.is_active():
        time.sleep(0.01)
    return b""


def total(requests, context):
    return b"%d" % sum(len(request) for request in requests)


def echo(requests, context):
    yield from requests


METHODS = {
    "Get": grpc.unary_unary_rpc_method_handler(lambda request, context: request),
    "Slow": grpc.unary_unary_rpc_method_handler(slow),
    "Missing": grpc.unary_unary_rpc_method_handler(missing),
    "Refused": grpc.unary_unary_rpc_method_handler(refused),
    "Broken": grpc.unary_unary_rpc_method_handler(broken),
    "Silent": grpc.unary_unary_rpc_method_handler(silent),
    "Five": grpc.unary_stream_rpc_method_handler(five),
    "TwoOfFive": grpc.unary_stream_rpc_method_handler(two_of_five),
    "Endless": grpc.unary_stream_rpc_method_handler(endless),
    "Total": grpc.stream_unary_rpc_method_handler(total),
    "Echo": grpc.stream_stream_rpc_method_handler(echo),
}


def main():
    address, port, *certificate = sys.argv[1:]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=24))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Orders", METHODS),))
    if certificate:
        cert, key = (open(path, "rb").read() for path in certificate)
        server.add_secure_port(f"{address}:{port}", grpc.ssl_server_credentials([(key, cert)]))
    else:
        server.add_insecure_port(f"{address}:{port}")
    server.start()
    print("up", flush=True)
    server.wait_for_termination()


main()
