"""A server that takes anything and answers nothing, at several ports.

    sink.py ADDRESS PORT...
"""

import selectors
import socket
import sys

selector = selectors.DefaultSelector()
for port in sys.argv[2:]:
    listener = socket.create_server((sys.argv[1], int(port)), backlog=512)
    selector.register(listener, selectors.EVENT_READ, True)
print("up", flush=True)
while True:
    for key, _ in selector.select():
        if key.data:
            sock, _ = key.fileobj.accept()
            selector.register(sock, selectors.EVENT_READ, False)
            continue
        try:
            data = key.fileobj.recv(65536)
        except OSError:
            data = b""
        if not data:
            selector.unregister(key.fileobj)
            key.fileobj.close()
