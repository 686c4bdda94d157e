"""Namespaces, processes and their CPU time, for `scripts/bench/run`.

Owns what is laid out on the machine and its removal. Knows no load and no collector.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

SERVER, CLIENT = "198.18.255.1", "198.18.255.2"  # RFC 2544: for benchmarks, routed nowhere
SERVER_CPU, CLIENT_CPU = 0, 1


class Failed(Exception):
    """A step of the benchmark did not work; the message says which and why."""


def run(argv, timeout=60, **kw):
    """Runs a program to its end and gives its standard output."""
    done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout, check=False, **kw)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise Failed(f"{' '.join(map(str, argv))}: exit {done.returncode}: {said[-600:]}")
    return done.stdout


def wait_for(what, condition, seconds=20.0):
    """Asks `condition` until it gives something true, and gives that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise Failed(f"waited {seconds:.0f} s in vain for {what}")


def cpu_seconds(pid):
    """User and system time of a process, all its threads, ended ones too, to the nanosecond."""
    clock = (~pid << 3) | 2  # the kernel's id of another process's CPUCLOCK_SCHED
    return time.clock_gettime(clock)


def peak_rss_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise Failed(f"process {pid} tells no peak memory")


def pinned(cpu):
    """What a child does first: stay on one CPU, so that rounds are alike."""
    def first():
        os.sched_setaffinity(0, {cpu % (os.cpu_count() or 1)})
    return first


class Lab:
    """Two namespaces and a veth pair, new for each slot: nothing carries over between slots."""

    serial = 0

    def __init__(self, offload=True):
        Lab.serial += 1
        tag = f"weirbench-{os.getpid()}-{Lab.serial}"
        self.server_ns, self.client_ns = f"{tag}-s", f"{tag}-c"
        self.server_if, self.client_if = "bench0", "bench0"
        self.offload = offload
        self.processes = []
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weirbench-"))

    def __enter__(self):
        self.folder.chmod(0o755)
        for namespace in (self.server_ns, self.client_ns):
            run(["ip", "netns", "add", namespace])
        run(["ip", "link", "add", self.server_if, "netns", self.server_ns, "type", "veth",
             "peer", "name", self.client_if, "netns", self.client_ns])
        for namespace, address in ((self.server_ns, SERVER), (self.client_ns, CLIENT)):
            self.set_up(namespace, address)
        return self

    def set_up(self, namespace, address):
        device = self.server_if
        run(["ip", "-n", namespace, "addr", "add", f"{address}/30", "dev", device])
        inside = ["ip", "netns", "exec", namespace]
        if not self.offload:
            run([*inside, "ethtool", "-K", device, "gso", "off", "tso", "off", "gro", "off"])
        run([*inside, "sysctl", "-qw", "net.ipv4.ip_local_port_range=2000 65000"])
        run(["ip", "-n", namespace, "link", "set", "lo", "up"])
        run(["ip", "-n", namespace, "link", "set", device, "up"])

    def start(self, argv, namespace=None, cpu=None, **kw):
        """Starts a process that ends with the lab at the latest."""
        if namespace:
            argv = ["ip", "netns", "exec", namespace, *argv]
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.DEVNULL)
        kw.setdefault("stderr", subprocess.DEVNULL)
        first = pinned(cpu) if cpu is not None else None
        process = subprocess.Popen([str(word) for word in argv], preexec_fn=first,
                                   start_new_session=True, **kw)
        self.processes.append(process)
        return process

    def server_run(self, argv, **kw):
        return run(["ip", "netns", "exec", self.server_ns, *argv], **kw)

    def client_run(self, argv, **kw):
        return run(["ip", "netns", "exec", self.client_ns, *argv], **kw)

    def counters(self, namespace):
        """The kernel's SNMP counters of a namespace, as `Tcp.PassiveOpens`."""
        text = run(["ip", "netns", "exec", namespace, "cat", "/proc/net/snmp"])
        lines = text.splitlines()
        found = {}
        for names, values in zip(lines[::2], lines[1::2]):
            group, _, names = names.partition(": ")
            for name, value in zip(names.split(), values.partition(": ")[2].split()):
                found[f"{group}.{name}"] = int(value)
        return found

    def stop(self, process, how=signal.SIGTERM):
        """Ends a process and what it started."""
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        if process in self.processes:
            self.processes.remove(process)

    def __exit__(self, *_):
        for process in list(reversed(self.processes)):
            self.stop(process, signal.SIGKILL)
        for namespace in (self.server_ns, self.client_ns):
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def listening(process, port):
    """Whether somebody listens at a TCP port in the namespace of a process."""
    try:
        lines = pathlib.Path(f"/proc/{process.pid}/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return False
    return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
               for line in lines)


def program_ids(pid):
    """Ids of the BPF programs that a process holds open. bpftool's own list of holders is empty
    where its helper program does not load."""
    ids = set()
    for fdinfo in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            lines = fdinfo.read_text().splitlines()
        except OSError:
            continue  # closed meanwhile
        ids.update(int(line.split()[1]) for line in lines if line.startswith("prog_id:"))
    return ids


def bpf_programs(condition):
    """Loaded BPF programs that match, by id, as bpftool tells them."""
    programs = json.loads(run(["bpftool", "-j", "prog", "show"]))
    return {program["id"]: program for program in programs if condition(program)}


def bpf_seconds(programs):
    """Time spent in programs; counted by the kernel only while bpf_stats_enabled is 1."""
    return sum(program.get("run_time_ns", 0) for program in programs.values()) / 1e9


class BpfStatistics:
    """The kernel's statistics of BPF programs, on for a while; they cost time themselves."""

    path = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")

    def __enter__(self):
        self.before = self.path.read_text().strip()
        self.path.write_text("1")

    def __exit__(self, *_):
        was_on = self.path.read_text().strip() == "1"
        self.path.write_text(self.before)
        if not was_on:
            raise Failed("somebody turned kernel.bpf_stats_enabled off during the measurement")
