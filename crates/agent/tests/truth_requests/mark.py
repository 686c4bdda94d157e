"""Asks itself one thing over HTTP, and prints the port at which it did."""

import socket

listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
client.sendall(b"GET /mark HTTP/1.1\r\nHost: a\r\n\r\n")
server.recv(1000)
server.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
client.recv(1000)
client.close()
server.close()
print(listener.getsockname()[1])
