"""Asks nginx inside TLS with what Python itself has: `http.client` and `urllib`.

    tls_client.py ADDRESS PORT
"""

import http.client
import ssl
import sys
import urllib.error
import urllib.request

ADDRESS, PORT = sys.argv[1], int(sys.argv[2])
CONTEXT = ssl._create_unverified_context()


def over_one_connection():
    connection = http.client.HTTPSConnection(ADDRESS, PORT, context=CONTEXT)

    def ask(path, status, length, method="GET", **how):
        connection.request(method, path, **how)
        answer = connection.getresponse()
        got = (answer.status, len(answer.read()))
        assert got == (status, length), f"{method} {path}: {got}"

    for n in range(20):
        ask(f"/items/{n}?key=value", 200, 4)
    ask("/large", 200, 1_000_000)
    ask("/large", 200, 0, "HEAD")
    ask("/none", 204, 0)
    ask("/sorry", 503, 5)
    body = b"GET / HTTP/1.1\r\n\r\n" * 5_000
    ask("/stored/python", 201, 0, "PUT", body=body)
    ask("/stored/python", 204, 0, "PUT", body=iter([body, body]))
    ask("/stored/python", 204, 0, "DELETE")
    connection.close()


def over_many_connections():
    """`urllib` closes after each answer."""
    for path in ["/hello"] * 5 + ["/moved", "/absent", "/large", "/zipped"]:
        try:
            url = f"https://{ADDRESS}:{PORT}{path}"
            urllib.request.urlopen(url, context=CONTEXT).read()
        except urllib.error.HTTPError as err:
            assert (path, err.code) == ("/absent", 404), (path, err)
            err.read()
            err.close()


over_one_connection()
over_many_connections()
