"""Many open connections, few of them active: one end of benchmark B4 as a process of its own.

    hold.py server ADDRESS PORT COUNT
    hold.py client ADDRESS PORT COUNT ACTIVE

Both say `ready` once all connections are open. The client then sends a line over each of its
ACTIVE connections once a second and reads the echo, until its standard input ends.
"""

import select
import socket
import sys

MESSAGE = b"x" * 64


def server(address, port, count):
    listener = socket.create_server((address, port), backlog=4096)
    poll, sockets = select.epoll(), {}
    for _ in range(count):
        accepted, _ = listener.accept()
        sockets[accepted.fileno()] = accepted
        poll.register(accepted, select.EPOLLIN)
    print("ready", flush=True)
    while sockets:
        for number, _ in poll.poll():
            data = sockets[number].recv(4096)
            if data:
                sockets[number].sendall(data)
            else:
                poll.unregister(number)
                sockets.pop(number).close()


def client(address, port, count, active):
    sockets = [socket.create_connection((address, port)) for _ in range(count)]
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 1.0)[0]:
        for sock in sockets[:active]:
            sock.sendall(MESSAGE)
            sock.recv(4096)


if __name__ == "__main__":
    role, where, *numbers = sys.argv[1:]
    {"server": server, "client": client}[role](where, *map(int, numbers))
