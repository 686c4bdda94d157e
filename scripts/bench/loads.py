"""The loads of `scripts/bench/run`: what is driven through the lab, and its own count of it.

A load gives `{"units", "rate", "made": {...}}`: units of work for the figure of merit, units per
second, and what was made, by the names of weir's metrics, to judge what a collector counted.
"""

import json
import re

from lab import CLIENT_CPU, SERVER, SERVER_CPU, listening, pinned, wait_for

IPERF_PORT, HTTP_PORT = 5201, 8080
UDP_PAYLOAD_BYTES = 200
# iperf3 opens a UDP stream with one datagram of this size in each direction.
IPERF_HELLO_BYTES = 4
# Half of wrk's connections may be under way when it stops; more would hide a loss.
WRK_CONNECTIONS = 32


class Iperf:
    def __init__(self, name, bench, what, args=(), offload=True):
        self.name, self.bench, self.what = name, bench, what
        self.args, self.offload = list(args), offload
        self.port, self.unit, self.layer = IPERF_PORT, "GB", "l4"

    def serve(self, lab):
        process = lab.start(["iperf3", "-s", "-1", "-B", SERVER], lab.server_ns, cpu=SERVER_CPU)
        wait_for("iperf3 to listen", lambda: listening(process, self.port))

    def drive(self, lab, seconds):
        argv = ["iperf3", "-J", "-c", SERVER, "-t", seconds, *self.args]
        text = lab.client_run(argv, timeout=seconds + 30, preexec_fn=pinned(CLIENT_CPU))
        return self.read(lab, json.loads(text)["end"])

    def read(self, _lab, end):
        received = end["sum_received"]
        # Also of the payload: the test's control connection, a few kilobytes on the same port.
        return {"units": received["bytes"] / 1e9,
                "rate": received["bytes"] / 1e9 / received["seconds"],
                "made": {"bytes_sent": end["sum_sent"]["bytes"]}}


class Udp(Iperf):
    """Datagrams at full speed; the kernel's own counters are the witness of packets."""

    def __init__(self):
        what = f"UDP at full speed, {UDP_PAYLOAD_BYTES}-byte datagrams (iperf3 -u)"
        super().__init__("udp", "B5", what, ["-u", "-b", "0", "-l", str(UDP_PAYLOAD_BYTES)])
        self.unit = "million packets"

    def read(self, lab, end):
        sent = lab.counters(lab.client_ns)["Udp.OutDatagrams"]
        received = lab.counters(lab.server_ns)["Udp.InDatagrams"]
        return {"units": sent / 1e6, "rate": sent / 1e6 / end["sum"]["seconds"],
                "made": {"packets_sent": sent, "bytes_sent": udp_bytes(sent)},
                "made_at_server": {"packets_sent": received, "bytes_sent": udp_bytes(received)}}


def udp_bytes(packets):
    return (packets - 1) * UDP_PAYLOAD_BYTES + IPERF_HELLO_BYTES


NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_timeout {keepalive}; keepalive_requests 100000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen {address}:{port} backlog=4096; location / {{ return 200 "ok\\n"; }}
            location = /served {{ stub_status; }} }}
}}
"""


class Churn:
    name, bench, unit, offload, port = "churn", "B2", "1,000 connections", True, HTTP_PORT
    what = "connect, one request, close, at full speed (wrk, nginx)"
    layer, keepalive = "l4", 0

    def serve(self, lab):
        config = lab.folder / "nginx.conf"
        config.write_text(NGINX.format(folder=lab.folder, address=SERVER, port=self.port,
                                       keepalive=self.keepalive))
        argv = ["nginx", "-c", config, "-p", lab.folder]
        process = lab.start(argv, lab.server_ns, cpu=SERVER_CPU)
        wait_for("nginx to listen", lambda: listening(process, self.port))

    def drive(self, lab, seconds):
        argv = ["wrk", "-t1", f"-c{WRK_CONNECTIONS}", f"-d{seconds}s", "-H", "Connection: close",
                f"http://{SERVER}:{self.port}/"]
        text = lab.client_run(argv, timeout=seconds + 30, preexec_fn=pinned(CLIENT_CPU))
        requests, took = re.search(r"(\d+) requests in ([\d.]+)s", text).groups()
        made = lab.counters(lab.server_ns)["Tcp.PassiveOpens"]
        return {"units": made / 1000, "rate": made / 1000 / float(took), "requests": int(requests),
                "made": {"connections": made}}


class Keepalive(Churn):
    """Requests on connections that stay open; nginx's own count is the witness."""

    name, bench, unit = "keepalive", "B3", "million requests"
    what = "HTTP requests over open connections, at full speed (wrk, nginx)"
    layer, keepalive = "l7", 60

    def drive(self, lab, seconds):
        argv = ["wrk", "-t1", f"-c{WRK_CONNECTIONS}", f"-d{seconds}s",
                f"http://{SERVER}:{self.port}/"]
        text = lab.client_run(argv, timeout=seconds + 30, preexec_fn=pinned(CLIENT_CPU))
        requests, took = re.search(r"(\d+) requests in ([\d.]+)s", text).groups()
        status = lab.client_run(["curl", "-s", f"http://{SERVER}:{self.port}/served"])
        made = int(re.search(r"^ (\d+) (\d+) (\d+)", status, re.MULTILINE).group(3))
        return {"units": made / 1e6, "rate": made / 1e6 / float(took), "requests": int(requests),
                "made": {"requests": made}}


LOADS = [
    Iperf("bulk", "B1", "bulk TCP with segmentation offload (iperf3)"),
    Iperf("mtu", "B1", "bulk TCP in MTU-sized packets (iperf3, offloads off)", offload=False),
    Churn(),
    Keepalive(),
    Udp(),
]
