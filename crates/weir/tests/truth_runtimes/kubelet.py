"""Asks a runtime as kubelet would for one Pod of the host's network, and for its containers.

    kubelet.py SOCKET IMAGE FOLDER CGROUP UID NAMESPACE/POD

Each line of standard input is the name of a container and its command, a blank between them; its
id is printed when it runs. At the end of the input the Pod is removed.
"""

import sys
import time

import grpc

socket, image, folder, cgroup, uid, name = sys.argv[1:]
namespace, pod = name.split("/")
NODE = 2  # NamespaceMode


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def message(fields):
    """Pairs of a field's number and its value; lists are messages."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
            continue
        value = message(value) if isinstance(value, list) else value.encode()
        out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def labels(number, **more):
    known = {"pod.name": pod, "pod.namespace": namespace, "pod.uid": uid, **more}
    return [(number, [(1, "io.kubernetes." + key), (2, text)]) for key, text in known.items()]


channel = grpc.insecure_channel("unix:" + socket)


def call(method, fields):
    """Tries again while the runtime comes, as kubelet does."""
    answer = channel.unary_unary("/runtime.v1.RuntimeService/" + method, message, bytes)
    for _ in range(100):
        try:
            return answer(fields, timeout=60, wait_for_ready=True)
        except grpc.RpcError as err:
            is_coming = err.code() == grpc.StatusCode.UNAVAILABLE or "not initialized" in err.details()
            if not is_coming:
                raise
            time.sleep(0.1)
    raise TimeoutError(method)


def first_text(answer):
    return answer[2:2 + answer[1]].decode()


namespaces = [(1, NODE)]
sandbox = [
    (1, [(1, pod), (2, uid), (3, namespace)]),
    (3, folder),
    *labels(6),
    (8, [(1, cgroup), (2, [(1, namespaces)])]),
]
sandbox_id = first_text(call("RunPodSandbox", [(1, sandbox)]))
try:
    for line in sys.stdin:
        own, command = line.strip().split(" ", 1)
        config = [
            (1, [(1, own)]),
            (2, [(1, image)]),
            (3, "/bin/bash"),
            (4, "-c"),
            (4, command),
            *labels(9, **{"container.name": own}),
            (11, own + ".log"),
            (15, [(2, [(3, namespaces)])]),
        ]
        container = first_text(call("CreateContainer", [(1, sandbox_id), (2, config), (3, sandbox)]))
        call("StartContainer", [(1, container)])
        print(container, flush=True)
finally:
    call("StopPodSandbox", [(1, sandbox_id)])
    call("RemovePodSandbox", [(1, sandbox_id)])
