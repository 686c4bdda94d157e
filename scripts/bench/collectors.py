"""The collectors that `scripts/bench/run` compares: weir, the yardstick, softflowd, tcpdump.

A collector is started in a slot's lab, tells the CPU seconds of its own processes and of its BPF
programs, and, where it can, what it counted.
"""

import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

from lab import (Failed, bpf_programs, bpf_seconds, cpu_seconds, peak_rss_mib, program_ids, run,
                 wait_for)
from report import WITH_L7, WITHOUT_UDP

REPO = pathlib.Path(__file__).resolve().parents[2]
# Parts of names, which the kernel cuts at 15 letters.
ITERATORS = ("_read_sock", "_adopt_sock", "_find_owner")
WINDOW_SECONDS = 10
# After the end of a window it is encoded, journalled and can be asked for.
SETTLE_SECONDS = 1.0
READ_SECONDS = 5
SINK_PORT = 9995


class Nothing:
    """No collector: what stands between the others, and, under another name, the A/A run."""

    has_bpf = False

    def __init__(self, name="nothing"):
        self.name, self.process = name, None

    def missing(self):
        return None

    def is_for(self, load):
        """Whether it tells something to run it beside this load."""
        return True

    def start(self, lab, load):
        pass

    def align(self, seconds):
        """Waits for a good moment to begin a load of so many seconds."""

    def flush(self):
        """Waits until what it gathered has been handed over."""

    def cpu(self):
        return cpu_seconds(self.process.pid) if self.process else 0.0

    def bpf(self):
        return 0.0

    def rss_mib(self):
        return peak_rss_mib(self.process.pid) if self.process else None

    def said(self, load, result):
        return None

    def stop(self, lab):
        if self.process:
            lab.stop(self.process)
            self.process = None


class Weir(Nothing):
    has_bpf = True

    """Connections and datagrams alone, as the other collectors measure them."""

    def __init__(self, program, name="weir", flags=("--l7", "false")):
        super().__init__(name)
        self.program, self.flags = program, flags

    def missing(self):
        return None if self.program.exists() else f"{self.program} is not built"

    def start(self, lab, load):
        self.log = lab.folder / "weir.log"
        argv = [self.program, "up", "--data-dir", lab.folder / "data", "--listen", "127.0.0.1:0",
                *self.flags]
        with open(self.log, "w") as log:
            self.process = lab.start(argv, stdout=log, stderr=subprocess.STDOUT)
        self.base = wait_for("weir to be ready", self.ready, 60)

    def ready(self):
        text = self.log.read_text()
        if self.process.poll() is not None:
            raise Failed(f"weir ended with {self.process.returncode}: {text[-800:]}")
        lines = [line for line in text.splitlines() if line.startswith("ready ")]
        return lines[0].split()[1] if lines else None

    def align(self, seconds):
        # The load shall end shortly before a window does.
        begin = WINDOW_SECONDS - seconds % WINDOW_SECONDS - 1.5
        time.sleep((begin - time.time()) % WINDOW_SECONDS)

    def flush(self):
        time.sleep(WINDOW_SECONDS - time.time() % WINDOW_SECONDS + SETTLE_SECONDS)

    def programs(self):
        mine = program_ids(self.process.pid)
        return bpf_programs(lambda program: program["id"] in mine)

    def bpf(self):
        programs = self.programs()
        if not programs:
            raise Failed("weir holds no BPF program")
        # Iterators run within the agent's own read(): they are in its system time already.
        hooks = {id: program for id, program in programs.items()
                 if not any(part in program["name"] for part in ITERATORS)}
        return bpf_seconds(hooks)

    def api(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.base}/api/v1/{path}?{query}", timeout=30) as answer:
            return json.load(answer)

    def said(self, load, result):
        """Totals as each end saw them, client to server, once they no longer change."""
        if load.layer == "l7" and self.name != WITH_L7:
            return None
        wanted = {"client": result["made"], "server": result.get("made_at_server", result["made"])}
        transport = "udp" if load.name == "udp" else "tcp"
        seen = {}
        for perspective, made in wanted.items():
            def totals():
                answer = self.api("summary", level="process", perspective=perspective,
                                  layer=load.layer,
                                  filter=f"server_port:{load.port} transport:{transport}",
                                  metrics=",".join(made),
                                  **{"from": "now-5m"})
                return {name: answer["totals"].get(name) for name in made}
            before = None
            end = time.monotonic() + 2 * WINDOW_SECONDS
            while (now := totals()) != made and time.monotonic() < end:
                if now == before and any(now.values()):
                    break
                before = now
                time.sleep(SETTLE_SECONDS)
            seen[perspective] = {name: [now[name], made[name]] for name in made}
        lost = [loss for loss in self.api("status").get("losses", []) if loss.get("count")]
        return {"counted": seen, "lost": lost}


class WeirWithL7(Weir):
    """With requests read, as it is by default."""

    def __init__(self, program):
        super().__init__(program, WITH_L7, [])

    def is_for(self, load):
        return load.name in ("bulk", "churn", "keepalive")


class WeirWithoutUdp(Weir):
    """What TCP itself costs: where kernel functions cannot be hooked, UDP's hooks tax its calls."""

    def __init__(self, program):
        super().__init__(program, WITHOUT_UDP, ["--udp", "false", "--l7", "false"])

    def is_for(self, load):
        return load.name == "bulk"


class Yardstick(Nothing):
    """The project's own minimal TC program at both ends, its map read every few seconds."""

    has_bpf = True

    def __init__(self):
        super().__init__("per-packet yardstick")
        self.reader_seconds = 0.0

    def is_for(self, load):
        return load.name in ("bulk", "mtu", "udp")

    def missing(self):
        absent = [name for name in ("clang", "bpftool", "tc") if shutil.which(name) is None]
        return f"needs {', '.join(absent)}" if absent else None

    def start(self, lab, load):
        source = REPO / "crates/testkit/bpf/per_packet.bpf.c"
        compiled, self.pins = lab.folder / "per_packet.o", lab.folder / "bpf"
        include = f"-I/usr/include/{platform.machine()}-linux-gnu"
        run(["clang", "-O2", "-g", "-target", "bpf", include, "-c", source, "-o", compiled])
        self.pins.mkdir()
        run(["mount", "-t", "bpf", "none", self.pins])
        run(["bpftool", "prog", "load", compiled, self.pins / "program", "type", "classifier",
             "pinmaps", self.pins])
        for namespace in (lab.server_ns, lab.client_ns):
            tc = ["ip", "netns", "exec", namespace, "tc"]
            run([*tc, "qdisc", "add", "dev", lab.server_if, "clsact"])
            for way in ("ingress", "egress"):
                run([*tc, "filter", "add", "dev", lab.server_if, way, "bpf", "da", "pinned",
                     self.pins / "program"])
        self.reader_seconds, self.done = 0.0, threading.Event()
        self.reader = threading.Thread(target=self.read_often)
        self.reader.start()

    def read_often(self):
        while not self.done.wait(READ_SECONDS):
            self.read()

    def read(self):
        argv = ["bpftool", "-j", "map", "dump", "pinned", str(self.pins / "flows")]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0
        self.reader_seconds += usage.ru_utime + usage.ru_stime

    def flush(self):
        self.read()

    def cpu(self):
        return self.reader_seconds

    def bpf(self):
        text = run(["bpftool", "-j", "prog", "show", "pinned", self.pins / "program"])
        program = json.loads(text)
        return bpf_seconds({program["id"]: program})

    def stop(self, lab):
        self.done.set()
        self.reader.join()
        run(["umount", self.pins])


class Softflowd(Nothing):
    """libpcap, a flow table in user space, NetFlow to a sink; at the server's end only."""

    def __init__(self):
        super().__init__("softflowd")

    def is_for(self, load):
        return load.name in ("bulk", "mtu", "churn", "udp")

    def missing(self):
        return None if shutil.which("softflowd") else "needs the program softflowd"

    def start(self, lab, load):
        sink = ("import socket; s = socket.socket(type=socket.SOCK_DGRAM); "
                f"s.bind(('127.0.0.1', {SINK_PORT}))\nwhile True: s.recv(2000)")
        lab.start([sys.executable, "-c", sink], lab.server_ns)
        argv = ["softflowd", "-d", "-i", lab.server_if, "-n", f"127.0.0.1:{SINK_PORT}",
                "-p", lab.folder / "softflowd.pid", "-c", lab.folder / "softflowd.ctl",
                "-v", "9", "-m", "200000"]
        self.process = lab.start(argv, lab.server_ns)
        wait_for("softflowd to start", (lab.folder / "softflowd.ctl").exists)


class Tcpdump(Nothing):
    """Headers of every packet to /dev/null: the floor of anything that captures."""

    def __init__(self):
        super().__init__("tcpdump")

    def is_for(self, load):
        return load.name in ("bulk", "churn", "udp")

    def missing(self):
        return None if shutil.which("tcpdump") else "needs the program tcpdump"

    def start(self, lab, load):
        log = lab.folder / "tcpdump.log"
        argv = ["tcpdump", "-i", lab.server_if, "-n", "-s", "96", "-w", "/dev/null"]
        with open(log, "w") as out:
            self.process = lab.start(argv, lab.server_ns, stderr=out)
        wait_for("tcpdump to capture", lambda: "listening on" in log.read_text())
