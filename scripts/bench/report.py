"""Figures and tables from the raw slots of `scripts/bench/run`.

Owns the arithmetic (medians, ratios to the neighbouring empty slots, cost per unit), the verdicts
and the page. Measures nothing.
"""

import statistics

WEIR, YARDSTICK, EMPTY, SAME = "weir", "per-packet yardstick", "nothing", "nothing again (A/A)"
WITH_L7 = "weir, L7 on"
WITHOUT_UDP = "weir, UDP off"

# What must come out: the name of the rival whose median cost is the measure, and the share of it.
BARS = {"bulk": (YARDSTICK, 1 / 20), "mtu": (YARDSTICK, 1 / 20),
        "churn": ("softflowd", 1 / 2), "udp": (YARDSTICK, 1 / 2)}
# Seconds of CPU per unit, whatever others cost.
FIXED_BARS = {"keepalive": 1.5}
IDLE_BARS = [("RSS, MiB", "rss_mib", 60), ("kernel memory per watched socket, bytes",
             "kernel_bytes_per_socket", 256), ("CPU of a core, %", "core_percent", 1)]


def middle(values):
    """(median, least, greatest), or None where there is nothing."""
    values = [value for value in values if value is not None]
    return (statistics.median(values), min(values), max(values)) if values else None


def number(value):
    if value is None:
        return "-"
    if value and abs(value) < 0.01:
        return f"{value:.2g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def span(found):
    if found is None:
        return "-"
    return f"{number(found[0])} ({number(found[1])} to {number(found[2])})"


def ratios(slots, name):
    """Rates of a collector's slots, each over the mean of the empty slots beside it."""
    found = []
    for index, slot in enumerate(slots):
        if slot["collector"] == name and slot["kind"] == "cost":
            beside = [slots[at]["rate"] for at in (index - 1, index + 1)
                      if 0 <= at < len(slots) and slots[at]["collector"] == EMPTY]
            if beside:
                found.append(slot["rate"] / statistics.mean(beside))
    return middle(found)


def costs(slots, name):
    """CPU seconds per unit: (total, BPF, own processes); each a median with its extremes."""
    mine = [slot for slot in slots if slot["collector"] == name]
    own = middle(slot["cpu"] / slot["units"] for slot in mine if slot["kind"] == "cost")
    bpf = middle(slot["bpf"] / slot["units"] for slot in mine if slot["kind"] == "bpf")
    if own is None:
        return None, bpf, own
    total = tuple(a + b for a, b in zip(own, bpf or (0, 0, 0)))
    return total, bpf, own


def counted(slots, name):
    """What a collector said it counted, against what was made, all its slots together."""
    cells = []
    wrong = made_runs = 0
    for slot in slots:
        if slot["collector"] != name or not slot.get("said"):
            continue
        for end, metrics in slot["said"]["counted"].items():
            for metric, (seen, made) in metrics.items():
                made_runs += 1
                if seen != made:
                    wrong += 1
                    share = (seen or 0) / made if made else 0
                    cells.append(f"{end}'s {metric} {share:.6f} of what was made")
        cells += [f"lost {loss}" for loss in slot["said"]["lost"]]
    if not made_runs:
        return "not asked"
    return f"{made_runs - wrong} of {made_runs} sums exact" + "".join(f"; {c}" for c in cells[:3])


def load_table(load, slots):
    names = list(dict.fromkeys(slot["collector"] for slot in slots))
    lines = [f"### {load.bench}: {load.what}", "",
             f"| collector | CPU s added per {load.unit} | of it BPF | of it its own processes "
             "| rate, ratio to nothing | peak RSS, MiB | what it counted |",
             "|---|---|---|---|---|---|---|"]
    for name in names:
        if name == EMPTY:
            continue
        total, bpf, own = costs(slots, name)
        rss = middle(slot.get("rss_mib") for slot in slots if slot["collector"] == name)
        said = counted(slots, name) if name in (WEIR, WITH_L7, WITHOUT_UDP) else "-"
        lines.append(f"| {name} | {span(total)} | {span(bpf)} | {span(own)} "
                     f"| {span(ratios(slots, name))} | {number(rss[2]) if rss else '-'} "
                     f"| {said} |")
    rate = middle(slot["rate"] for slot in slots if slot["collector"] == EMPTY)
    lines += ["", f"Without any collector: {span(rate)} {load.unit} a second.", ""]
    return lines


def verdict(load, slots):
    """(what must be, what is, word) of one load."""
    if load.name in FIXED_BARS:
        return fixed_verdict(load, costs(slots, WITH_L7)[0])
    rival, share = BARS[load.name]
    ours, theirs = costs(slots, WEIR)[0], costs(slots, rival)[0]
    if ours is None or theirs is None:
        return None
    bar = theirs[0] * share
    word = "met" if ours[0] <= bar else "NOT met"
    return (f"| {load.bench} {load.name} | at most 1/{round(1 / share)} of {rival}: {number(bar)} "
            f"s per {load.unit} | {number(ours[0])} s, 1/{theirs[0] / ours[0]:.1f} | {word} |")


def fixed_verdict(load, ours):
    bar = FIXED_BARS[load.name]
    if ours is None:
        return None
    word = "met" if ours[0] <= bar else "NOT met"
    return (f"| {load.bench} {load.name} | at most {number(bar)} s per {load.unit} "
            f"| {number(ours[0])} s | {word} |")


def idle_lines(runs):
    if not runs:
        return [], []
    for run in runs:
        run["core_percent"] = run["agent_core_percent"] + run["bpf_core_percent"]
    first = runs[0]
    table = [f"### B4: {first['connections']:,} open connections, 1 % active, both ends watched",
             "", "| figure | median (least to greatest) |", "|---|---|"]
    rows = [("RSS, MiB", "rss_mib"), ("peak RSS, MiB", "peak_rss_mib"),
            ("kernel memory in all, MiB", "kernel_mib"),
            ("of it maps of fixed size, MiB", "fixed_maps_mib"),
            ("kernel memory per watched socket, bytes", "kernel_bytes_per_socket"),
            ("CPU of the process, % of a core", "agent_core_percent"),
            ("CPU of BPF, % of a core", "bpf_core_percent"),
            ("open connections that it told", "active_connections_seen")]
    for title, key in rows:
        table.append(f"| {title} | {span(middle(run[key] for run in runs))} |")
    verdicts = []
    for title, key, bar in IDLE_BARS:
        value = statistics.median(run[key] for run in runs)
        word = "met" if value <= bar else "NOT met"
        if value < 0:
            word = "not measurable: others freed more meanwhile"
        verdicts.append(f"| B4 {title} | at most {bar} | {number(value)} | {word} |")
    return [*table, ""], verdicts


def directory_lines(found):
    """The table of the Kubernetes directory, if it was measured."""
    if not found:
        return []
    mib = 1 << 20
    rows = [("memory after the lists, MiB", found["filled_bytes"] / mib),
            ("memory after 15 minutes of 50 changes a second, MiB",
             found["bytes_after_15_min"] / mib),
            ("CPU at 50 changes a second, % of a core", found["cpu_percent_at_50_per_s"]),
            ("time of one change, us", found["us_per_change"]),
            ("time to name one end of a flow, us", found["resolve_ns"] / 1000)]
    return [f"### Kubernetes directory: {found['pods']:,} Pods, {found['services']:,} Services, "
            f"{found['nodes']:,} nodes", "", "| figure | |", "|---|---|",
            *[f"| {title} | {number(value)} |" for title, value in rows], ""]


def page(results, loads):
    """The whole page, as Markdown."""
    lines = ["# Benchmarks", "",
             "Made by `make bench`; do not edit. What each figure means is said below the tables.",
             "", f"- Date: {results['date']}", f"- Kernel: {results['kernel']}",
             f"- CPU: {results['cpu']}, {results['cores']} cores", f"- Command: "
             f"`{results['command']}`", f"- {results['rounds']} rounds of {results['seconds']} s, "
             "interleaved, each collector between two runs without any", ""]
    idle, idle_verdicts = idle_lines(results["idle"])
    verdicts = [verdict(load, results["slots"][load.name]) for load in loads
                if load.name in results["slots"]]
    lines += ["## What must come out, and what did", "", "| benchmark | must be | is | |",
              "|---|---|---|---|", *[line for line in verdicts if line], *idle_verdicts, ""]
    lines += ["## Tables", ""]
    for load in loads:
        if load.name in results["slots"]:
            lines += load_table(load, results["slots"][load.name])
    lines += idle
    lines += directory_lines(results["directory"])
    lines += [line.rstrip() for line in NOTES.splitlines()]
    return "\n".join(lines).rstrip() + "\n"


NOTES = """## How to read them
- Figures are medians with the least and the greatest in brackets.
- *CPU s added* is the run time of the collector's BPF programs (`kernel.bpf_stats_enabled=1`, in
  rounds of their own, because that statistic costs time itself) plus user and system time of its
  processes, from the scheduler's own clock, until it has handed over what it gathered.
- For libpcap's tools the kernel's copying of packets to them is not in the figure: it favours them.
- weir runs as `weir up`: agent, store, API and web server in one process, and it watches **both**
  ends of each conversation. So does the yardstick. softflowd and tcpdump watch the server's
  interface only. *weir, L7 on* has its defaults; *weir* measures what the others do, connections
  and datagrams, with `agent.l7 = false`.
- *weir, UDP off* is what TCP costs by itself (`agent.udp = false`). Where kernel functions cannot
  be hooked, UDP is seen at the end of every send and receive call, TCP's included; elsewhere the
  two rows are the same.
- The *per-packet yardstick* is `crates/testkit/bpf/per_packet.bpf.c`: bytes and packets added to a
  hash by 5-tuple at the TC hook, read every 5 s. It is the least that working per packet costs.
- *Rate, ratio to nothing* compares with the runs without a collector just before and after; the
  A/A row shows how far that ratio moves from noise alone.
- *Sums exact* compares weir's totals, as the client's and as the server's end saw them, with
  iperf3's payload bytes, the kernel's `PassiveOpens`, `OutDatagrams` and `InDatagrams`. Under B1
  weir's sums also hold the few kilobytes of iperf3's control connection, which has the same port.
"""
