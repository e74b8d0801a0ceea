"""The measurements that each have a goal. Every function prints what it saw and gives the goals it speaks to."""

import contextlib
import re
import signal
import socket
import time
from statistics import median

from .contestants import FIXED_RANGE, ours
from .load import Ranges, open_loop, wrk
from .processes import Failure, ProcessTree, free_ports, say
from .report import Goal, mebibytes, milliseconds, number, spread
from .system import FIRST_DAY, LAST_DAY, System
from .throughput import alternate

# One range, always the same.
FIXED = Ranges(*FIXED_RANGE, 15, 15)


# From the main table


def of_throughput(bench):
    """The goals that the main table answers."""
    ratio = lambda left, right: f"{left / right:.2f} ×"  # noqa: E731

    def sample(name, connections):
        runs = bench.samples.get((name, connections))
        return runs and {
            "rate": median(run.rate for run in runs),
            "p50": median(run.p50_us for run in runs),
            "p99": median(run.p99_us for run in runs),
            "gateway": median(run.cpu_us["gateway"] for run in runs),
        }

    ours_64, floor_64, peer_64 = (sample(name, 64) for name in ("ours", "floor", "fastapi"))
    if ours_64 and floor_64:
        yield Goal(
            "requests/s at 64 connections, against the floor",
            "≥ 1.2 ×, at no worse p99",
            f"{ratio(ours_64['rate'], floor_64['rate'])}; p99 {ratio(ours_64['p99'], floor_64['p99'])}",
            ours_64["rate"] >= 1.2 * floor_64["rate"] and ours_64["p99"] <= floor_64["p99"],
        )
    ours_1, floor_1 = sample("ours", 1), sample("floor", 1)
    if ours_1 and floor_1:
        yield Goal(
            "p50 at 1 connection, against the floor",
            "≤ 1.0 ×",
            ratio(ours_1["p50"], floor_1["p50"]),
            ours_1["p50"] <= floor_1["p50"],
        )
    nginx_64 = sample("nginx-proxy", 64)
    if ours_64 and nginx_64:
        yield Goal(
            "CPU of the gateway per proxied request, against nginx proxy_pass",
            "≤ 1.0 ×",
            f"{ratio(ours_64['gateway'], nginx_64['gateway'])} "
            f"({ours_64['gateway']:.1f} and {nginx_64['gateway']:.1f} µs)",
            ours_64["gateway"] <= nginx_64["gateway"],
        )
    if ours_64 and peer_64:
        yield Goal(
            "against FastAPI + Celery at 64 connections",
            "requests/s ≥ 35 ×, p99 ≤ 1/20",
            f"{ratio(ours_64['rate'], peer_64['rate'])}, p99 1/{peer_64['p99'] / ours_64['p99']:.0f}",
            ours_64["rate"] >= 35 * peer_64["rate"] and ours_64["p99"] <= peer_64["p99"] / 20,
        )


# Sections of their own


def cached_answers(bench):
    """One range, from the gateway's cache, against nginx answering a fixed text of the same size."""
    if not bench.has("cached", "nginx-return"):
        return
    contestants = [bench.contestants["cached"], bench.contestants["nginx-return"]]
    samples = alternate(contestants, [64], bench.options.seconds, bench.options.rounds, FIXED)
    per_cpu_second = {
        name: [1e6 / run.cpu_us["gateway"] for run in runs if run.cpu_us["gateway"]]
        for (name, _), runs in samples.items()
    }
    bench.show(
        "Cached answers, 64 connections, one range",
        ["contestant", "requests/s", "requests per CPU second"],
        [
            [name, spread([run.rate for run in samples[name, 64]]), spread(runs)]
            for name, runs in per_cpu_second.items()
        ],
        per_cpu_second,
    )
    share = median(per_cpu_second["cached"]) / median(per_cpu_second["nginx-return"])
    yield Goal("cached answers per CPU second, against nginx return 200", "≥ 0.9 ×", f"{share:.2f} ×", share >= 0.9)


def long_ranges(bench):
    """What 730 days cost more than one."""
    if not bench.has("ours"):
        return
    costs = {1: [], 730: []}
    for round_number in range(bench.options.rounds):
        for days, runs in costs.items():
            ranges = Ranges(FIRST_DAY, LAST_DAY, days, days)
            runs.append(wrk(bench.contestants["ours"], 64, bench.options.seconds, ranges, seed=round_number))
    bench.show(
        "Long ranges, 64 connections",
        ["days", "requests/s", "CPU µs per request", *costs[1][0].cpu_us],
        [
            [
                days,
                spread([run.rate for run in runs]),
                spread([run.total_cpu_us for run in runs], 1),
                *(number(median(run.cpu_us[role] for run in runs), 1) for role in runs[0].cpu_us),
            ]
            for days, runs in costs.items()
        ],
        {days: [run.cpu_us for run in runs] for days, runs in costs.items()},
    )
    share = median(run.total_cpu_us for run in costs[730]) / median(run.total_cpu_us for run in costs[1])
    yield Goal("CPU per request for 730 days, against 1 day", "≤ 4 ×", f"{share:.2f} ×", share <= 4)


def volume(bench):
    """Two databases, one of them large, asked in turns."""
    small, large = 100_000, bench.options.volume_rows
    with contextlib.ExitStack() as scope:
        contestants = []
        for rows in (small, large):
            system = System(scope, bench.folder / f"rows-{rows}", bench.program, rows, bench.options.workers)
            contestant = ours(system)
            contestant.name = f"{rows:,} rows"
            contestants.append(contestant)
        samples = alternate(contestants, [64], bench.options.seconds, max(3, bench.options.rounds))
    rates = {name: [run.rate for run in runs] for (name, _), runs in samples.items()}
    bench.show(
        "Volume, 64 connections",
        ["prices", "requests/s", "CPU µs per request"],
        [
            [name, spread(rates[name]), spread([run.total_cpu_us for run in samples[name, 64]], 1)]
            for name in rates
        ],
        rates,
    )
    share = median(rates[f"{large:,} rows"]) / median(rates[f"{small:,} rows"])
    yield Goal(f"requests/s with {large:,} prices, against {small:,}", "≥ 0.95 ×", f"{share:.2f} ×", share >= 0.95)


def idle_memory(bench):
    """From the start of the system, before anything was asked."""
    if not bench.has("ours"):
        return
    resident = {role: bench.idle["ours", role]["resident"] for role in ("gateway", "api", "worker")}
    # `resident` sums up all processes of a role.
    most = max(resident["gateway"], resident["api"], resident["worker"] / bench.options.workers)
    yield Goal(
        "memory of an idle process",
        "≤ 16 MiB resident",
        ", ".join(f"{role} {mebibytes(count)} MiB" for role, count in resident.items()),
        most <= 16 * 2**20,
    )


def idle_connections(bench):
    """Memory of the gateway with many connections that have had an answer and wait for the next question."""
    if not bench.has("ours"):
        return
    count = 10_000
    (port,) = free_ports(1)
    gateway = bench.system.copy("gateway", "gateway-idle", port, SERVER_MAX_CONNECTIONS=count + 100)
    tree = ProcessTree(gateway.pid)
    question = b"GET /health HTTP/1.1\r\nHost: idle\r\n\r\n"
    with contextlib.ExitStack() as scope:
        def ask():
            connection = scope.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            connection.sendall(question)
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                raise Failure("the gateway does not answer on an idle connection")

        # The first ones pay for what all share.
        for _ in range(100):
            ask()
        before = tree.memory()
        for _ in range(count):
            ask()
        after = tree.memory()
    gateway.stop()
    each = (after["anonymous"] - before["anonymous"]) / count
    bench.show(
        f"{count:,} idle connections to one gateway",
        ["", "resident MiB", "anonymous MiB"],
        [
            [name, mebibytes(memory["resident"]), mebibytes(memory["anonymous"])]
            for name, memory in (("before", before), ("with them", after))
        ],
        {"before": before, "after": after},
    )
    yield Goal(f"memory of each of {count:,} idle connections", "≤ 8 KiB", f"{each / 1024:.1f} KiB", each <= 8192)


def steady(bench):
    """Open loop at half of the maximum."""
    if not bench.has("ours"):
        return
    maximum = bench.maximum()
    seconds = 5 if bench.options.quick else 60
    say(f"  {maximum.rate / 2:,.0f} requests/s for {seconds} s")
    contestant = bench.contestants["ours"]
    result = open_loop(bench.latency, contestant, maximum.rate / 2, seconds, 3, 2048, bench.folder)
    bench.show(f"Steady load at half of the maximum, {seconds} s, open loop", *open_loop_table(result), result)
    answers = result["answers"]
    share = answers["p99.9_us"] / answers["p50_us"]
    errors = sum(result["errors"].values()) + result["refusals"]["count"]
    yield Goal(
        "steady load at half of the maximum: p99.9",
        "≤ 10 × p50, no errors",
        f"{share:.1f} × ({milliseconds(answers['p99.9_us'])} and {milliseconds(answers['p50_us'])} ms), "
        f"{errors} errors",
        share <= 10 and errors == 0,
    )


def overload(bench):
    """Open loop at twice the maximum, then what is left a second later."""
    if not bench.has("ours"):
        return
    contestant = bench.contestants["ours"]
    maximum = bench.maximum()
    seconds = 5 if bench.options.quick else 30
    say(f"  {maximum.rate * 2:,.0f} requests/s for {seconds} s")
    # So many under way that it is the server that has to say no.
    result = open_loop(bench.latency, contestant, maximum.rate * 2, seconds, 0, 8000, bench.folder)
    time.sleep(1)
    after = wrk(contestant, maximum.connections, 3)
    bench.show(
        f"Twice the maximum, {seconds} s, open loop; then {maximum.connections} connections again, 1 s later",
        *open_loop_table(result),
        {"overload": result, "rate_after": after.rate, "maximum": maximum.rate},
        f"At the maximum, {maximum.rate:,.0f}/s with {maximum.connections} connections: "
        f"p99 {milliseconds(maximum.p99_us)} ms. "
        f"1 s after the overload: {after.rate:,.0f}/s, {after.error_count} errors.",
    )
    answers = result["answers"]
    share = answers["p99_us"] / maximum.p99_us
    recovered = after.rate / maximum.rate
    others = sum(result["errors"].values())
    yield Goal(
        "twice the maximum: p99 of the accepted, against that at the maximum",
        "≤ 4 ×, the rest 503, full speed 1 s later",
        f"{share:.1f} ×, 503 after p99 {milliseconds(result['refusals']['p99_us'])} ms, "
        f"{others} other errors, {recovered:.2f} × the speed 1 s later",
        share <= 4 and others == 0 and recovered >= 0.9 and after.error_count == 0,
    )


def open_loop_table(result):
    """Headings and the one row for a result of the latency tool."""
    percentiles = ["p50", "p90", "p99", "p99.9", "max"]
    times = [milliseconds(result["answers"][f"{name}_us"]) for name in percentiles]
    errors = ", ".join(f"{count:,} × {kind}" for kind, count in result["errors"].items()) or "0"
    refusals = number(result["refusals"]["count"])
    headings = ["answers/s", *(f"{name} ms" for name in percentiles), "503", "errors"]
    return headings, [[number(result["achieved_rate"]), *times, refusals, errors]]


def system_calls(bench):
    """Counted by strace, which makes everything slower: for the number of calls, not for time."""
    totals, rows = {}, []
    for name in ("ours", "floor"):
        if not bench.has(name):
            continue
        contestant = bench.contestants[name]
        counts, requests = count_system_calls(bench, contestant)
        totals[name] = sum(sum(calls.values()) for calls in counts.values()) / requests
        for role, calls in counts.items():
            most = sorted(calls.items(), key=lambda item: -item[1])[:6]
            rows.append(
                [
                    f"{name}: {role}",
                    number(sum(calls.values()) / requests, 2),
                    ", ".join(f"{call} {count / requests:.2f}" for call, count in most),
                ]
            )
    title = "System calls per request, 64 connections, without PostgreSQL and Redis"
    bench.show(title, ["process", "calls", "most"], rows, totals)
    if len(totals) == 2:
        yield Goal(
            "system calls per request, against the floor",
            "fewer",
            f"{totals['ours']:.2f} and {totals['floor']:.2f}",
            totals["ours"] < totals["floor"],
        )


def count_system_calls(bench, contestant):
    """By role, how often each call was made while so many requests were answered."""
    roles = {role: contestant.roles[role] for role in ("gateway", "api", "worker")}
    with contextlib.ExitStack() as scope:
        tracers = {}
        for role, tree in roles.items():
            output = bench.folder / f"strace-{contestant.name}-{role}"
            attach = [word for pid in tree.pids() for word in ("-p", pid)]
            words = ["strace", "-c", "-f", "-o", output, *attach]
            tracer = bench.system.start(output.name, words, scope=scope)
            tracer.wait_until(lambda: "attached" in tracer.log.read_text(), "process to trace")
            tracers[role] = tracer, output
        sample = wrk(contestant, 64, max(2, bench.options.seconds))
        for tracer, _ in tracers.values():
            tracer.process.send_signal(signal.SIGINT)
        for tracer, _ in tracers.values():
            tracer.process.wait(20)
    # "% time, seconds, usecs/call, calls, errors (or nothing), name"
    line = re.compile(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", re.MULTILINE)
    counts = {}
    for role, (_, output) in tracers.items():
        counts[role] = {name: int(count) for count, name in line.findall(output.read_text()) if name != "total"}
        if not counts[role]:
            raise Failure(f"strace saw nothing of {contestant.name}'s {role}:\n{output.read_text()}")
    return counts, sample.requests
