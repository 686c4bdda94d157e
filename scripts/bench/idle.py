"""Benchmark B4: what many open connections cost while almost all of them are silent.

Owns the measuring of weir's memory, user's and kernel's, and of its CPU share. Both ends of each
connection are on this machine, so weir watches twice as many sockets as there are connections.
"""

import json
import pathlib
import subprocess
import sys
import time

from collectors import WINDOW_SECONDS
from lab import BpfStatistics, CLIENT_CPU, SERVER, SERVER_CPU, Failed, Lab, run, wait_for

CONNECTIONS_PER_PROCESS = 15_000  # below the usual limit of open files
FIRST_PORT = 6000
ACTIVE_SHARE = 0.01
WINDOWS = 3


def kernel_mib():
    """Kernel memory of the kinds that maps and per-socket storage live in."""
    fields = {}
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        name, value = line.split(":")
        fields[name] = int(value.split()[0]) / 1024
    return fields["Slab"] + fields["Percpu"] + fields["VmallocUsed"]


def rss_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return None


def steady_kernel_mib():
    """Kernel memory once it stands still: what others do at the moment is not to be in it."""
    before = kernel_mib()
    for _ in range(40):
        time.sleep(0.5)
        now = kernel_mib()
        if abs(now - before) < 0.25:
            return now
        before = now
    return before


def open_connections(lab, connections):
    """Opens them in as many processes as the limit of open files asks for."""
    hold = pathlib.Path(__file__).with_name("hold.py")
    clients, left, port = [], connections, FIRST_PORT
    while left:
        count = min(left, CONNECTIONS_PER_PROCESS)
        words = [SERVER, str(port), str(count)]
        serving = lab.start([sys.executable, hold, "server", *words], lab.server_ns, SERVER_CPU,
                            stdout=subprocess.PIPE)
        wait_for("the server to listen", lambda: serving_at(lab, port))
        active = str(max(1, round(count * ACTIVE_SHARE)))
        client = lab.start([sys.executable, hold, "client", *words, active], lab.client_ns,
                           CLIENT_CPU, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        clients.append((serving, client))
        left, port = left - count, port + 1
    for pair in clients:
        for process in pair:
            if process.stdout.readline().strip() != b"ready":
                raise Failed("a process that holds connections ended early")
    return clients


def serving_at(lab, port):
    return lab.server_run(["ss", "-ltnH", f"sport = :{port}"]).strip()


def map_mib(weir):
    """Memory of weir's maps that does not grow with the number of sockets."""
    used = {number for program in weir.programs().values() for number in program["map_ids"]}
    maps = json.loads(run(["bpftool", "-j", "map", "show"]))
    return sum(int(each["bytes_memlock"]) for each in maps if each["id"] in used) / 2**20


def share_of_core(used):
    """Seconds used over a few windows, per cent of one core."""
    before, began = used(), time.monotonic()
    time.sleep(WINDOWS * WINDOW_SECONDS)
    return 100 * (used() - before) / (time.monotonic() - began)


def measure(weir, connections, say):
    """One run; gives the figures of B4."""
    with Lab() as lab:
        open_connections(lab, connections)
        say(f"  idle: {connections} connections are open")
        without_before = steady_kernel_mib()
        weir.start(lab, None)
        weir.flush()
        with_weir = steady_kernel_mib()
        fixed = map_mib(weir)
        weir.align(WINDOW_SECONDS)
        cpu = share_of_core(weir.cpu)
        with BpfStatistics():  # apart, because they cost time themselves
            bpf = share_of_core(weir.bpf)
        totals = weir.api("summary", level="process", perspective="server",
                          filter=f"server_port:[{FIRST_PORT} - {FIRST_PORT + 99}]",
                          metrics="active_connections",
                          **{"from": "now-1m"})["totals"]
        resident, peak = rss_mib(weir.process.pid), weir.rss_mib()
        weir.stop(lab)
        without_after = steady_kernel_mib()
    kernel = with_weir - (without_before + without_after) / 2
    sockets = 2 * connections
    return {"connections": connections, "sockets": sockets, "rss_mib": resident,
            "peak_rss_mib": peak, "kernel_mib": kernel, "fixed_maps_mib": fixed,
            "kernel_bytes_per_socket": (kernel - fixed) * 2**20 / sockets,
            "agent_core_percent": cpu, "bpf_core_percent": bpf,
            "active_connections_seen": totals.get("active_connections")}
