"""One socket, many processes: the client half of truth test T7.

    shared_socket.py fork|pass|exec|udp ADDRESS PORT

Every process writes its share to the one socket and the total is printed as JSON.
`fork`: ten children inherit the socket. `pass`: it is handed to an unrelated process over a Unix
socket. `exec`: a new program inherits it. `udp`: ten children share a UDP socket.
"""

import array
import json
import os
import socket
import subprocess
import sys

CHILDREN = 10
SHARE = b"s" * 1009
ANSWER_BYTES = 501


def exchange(sock):
    """One request of the traffic protocol: upload the share, read the answer."""
    header = len(SHARE).to_bytes(8, "big") + ANSWER_BYTES.to_bytes(8, "big")
    sock.sendall(header + SHARE)
    left = ANSWER_BYTES
    while left:
        data = sock.recv(left)
        if not data:
            raise SystemExit("the server closed early")
        left -= len(data)
    return len(header) + len(SHARE), ANSWER_BYTES


def datagram(sock):
    sent = sock.send(SHARE)
    return sent, len(sock.recv(2000))


def in_child(work, sock):
    """Runs `work` in a forked process and waits for it; its counts come back by a pipe."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, json.dumps(work(sock)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        counts = json.load(pipe)
    os.waitpid(pid, 0)
    return counts


def by_unix_socket(sock):
    """A process that never connected anything receives the socket and uses it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    program = [sys.executable, __file__, "receive", str(theirs.fileno()), "0"]
    child = subprocess.Popen(program, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE)
    rights = array.array("i", [sock.fileno()])
    ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    out, _ = child.communicate()
    return json.loads(out)


def receive(number):
    unix = socket.socket(fileno=number)
    _, ancillary, _, _ = unix.recvmsg(1, socket.CMSG_SPACE(4))
    rights = array.array("i")
    rights.frombytes(ancillary[0][2])
    return exchange(socket.socket(fileno=rights[0]))


def by_exec(sock):
    program = [sys.executable, __file__, "inherit", str(sock.fileno()), "0"]
    return json.loads(subprocess.check_output(program, pass_fds=[sock.fileno()]))


def main():
    mode, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if mode == "receive":
        print(json.dumps(receive(int(address))))
        return
    if mode == "inherit":
        print(json.dumps(exchange(socket.socket(fileno=int(address)))))
        return
    if mode == "udp":
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect((address, port))
        shares = [in_child(datagram, sock) for _ in range(CHILDREN)]
    else:
        sock = socket.create_connection((address, port))
        shares = [exchange(sock)]
        if mode == "fork":
            shares += [in_child(exchange, sock) for _ in range(CHILDREN)]
        elif mode == "pass":
            shares += [by_unix_socket(sock) for _ in range(2)]
        else:
            shares += [by_exec(sock) for _ in range(2)]
        sock.shutdown(socket.SHUT_WR)
        if sock.recv(1):
            raise SystemExit("bytes came that nobody asked for")
    print(json.dumps({"sent": sum(s for s, _ in shares), "received": sum(r for _, r in shares)}))


main()
