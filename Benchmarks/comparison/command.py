"""The command line, and the order of events."""

import argparse
import contextlib
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from dataclasses import asdict
from pathlib import Path
from statistics import median

from . import (
    contestants,
    conversations,
    goals,
    market,
    orders,
    placing,
    proxying,
    statistics,
    streams,
    throughput,
    tls,
)
from .load import wrk
from .processes import Failure, say
from .report import goals_table, table
from .system import ROOT, System, build

SECTIONS = {
    "throughput": "the main table: every contestant at every number of connections",
    "cached": "cached answers, against nginx return 200",
    "ranges": "730 days against 1 day",
    "idle": "memory of 10,000 idle connections",
    "steady": "half of the maximum, open loop",
    "overload": "twice the maximum, and what is left afterwards",
    "syscalls": "system calls per request",
    "orders": "durable orders against pgbench with one transaction an order, and placed as they come",
    "relay": "orders placed by one worker",
    "outage": "the exchange dead for a minute",
    "tls": "new, kept and idle TLS connections beside nginx, and the cost of a token that is remembered",
    "snapshot": "an old snapshot held for five minutes while orders are taken and placed; only if asked for",
    "latest": "latest prices that a gateway repeats, against nginx return 200",
    "events": "events of prices by one worker, from the commit of a price to its moving average",
    "streams": "10,000 streams of prices: memory, and one event to all against a loop of send and nchan",
    "proxy": "passing on, cached answers, 1 GiB and WebSockets, against nginx; only if asked for",
    "statistics": "a million proxied requests counted, and summaries of 100 million; only if asked for",
    "conversations": "imports and searches of a million conversations; only if asked for, as they take minutes",
    "imports": "imports of 10 million prices, with the schema of today and before; only if asked for",
    "bars": "bars and history of a symbol with a million prices; only if asked for",
    "volume": "10 million prices against 100 thousand; only if asked for, as making them takes minutes",
}
CONTESTANTS = ["ours", "cached", "floor", "nginx", "fastapi"]

# Programs, the Debian package of each, and the contestants or sections that need it (none: everybody).
TOOLS = [
    ("wrk", "wrk", set()),
    ("psql", "postgresql-client", set()),
    ("pgbench", "postgresql", {"orders", "events"}),
    ("nginx", "nginx-light", {"nginx", "conversations", "latest", "proxy", "tls"}),
    ("openssl", "openssl", {"tls"}),
    ("gcc", "gcc", {"floor", "streams"}),
    ("curl", "curl", {"proxy"}),
    ("ab", "apache2-utils", {"statistics"}),
    ("strace", "strace", {"syscalls"}),
]


def arguments():
    sections = "\n".join(f"  {name:<12}{text}" for name, text in SECTIONS.items())
    parser = argparse.ArgumentParser(
        prog="Benchmarks/run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Compares Tickloop on this machine with the least C of the same shape, with nginx and with\n"
        "FastAPI + Celery, and measures what the goals ask for. Tables go to standard output.",
        epilog=f"sections:\n{sections}",
    )
    integers = lambda text: [int(word) for word in text.split(",")]  # noqa: E731
    words = lambda text: text.split(",")  # noqa: E731
    option = parser.add_argument
    option("sections", nargs="*", metavar="SECTION", help="what to measure; default: all but those that say so")
    option("--quick", action="store_true", help="one round of short samples: to see that all works")
    option("--contestants", type=words, default=CONTESTANTS, help=f"default: {','.join(CONTESTANTS)}")
    option("--connections", type=integers, help="default: 1,16,64,256; with --quick 1,64")
    option("--seconds", type=int, help="length of one sample; default: 4, with --quick 1")
    option("--rounds", type=int, help="samples of each kind; default: 3, with --quick 1")
    option("--rows", type=int, help="prices in the database; default: 1000000, with --quick 100000")
    option("--volume-rows", type=int, default=10_000_000, help="prices in the large database; default: 10000000")
    option("--workers", type=int, default=1, help="worker processes of ours; default: 1, as the floor has")
    option("--tickloop", type=Path, metavar="PROGRAM", help="a program that is built already")
    option("--against", type=Path, metavar="PROGRAM", help="another build of ours, to compare with")
    option("--floor", type=Path, metavar="FILE", default=ROOT / "../shared/bench/floor.c", help="default: %(default)s")
    option("--json", type=Path, metavar="FILE", help="write everything that was measured to this file")
    option("--install", action="store_true", help="install what is missing with apt-get, and the peer from PyPI")
    options = parser.parse_args()

    long = ("snapshot", "proxy", "statistics", "conversations", "imports", "bars", "volume")
    options.sections = options.sections or [name for name in SECTIONS if name not in long]
    options.connections = options.connections or ([1, 64] if options.quick else [1, 16, 64, 256])
    options.seconds = options.seconds or (1 if options.quick else 4)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.rows = options.rows or (100_000 if options.quick else 1_000_000)
    for name, given, known in (
        ("section", options.sections, SECTIONS),
        ("contestant", options.contestants, CONTESTANTS),
    ):
        if unknown := set(given) - set(known):
            parser.error(f"no such {name}: {', '.join(sorted(unknown))}")
    return options


def require_tools(options):
    used = {*options.contestants, *options.sections}
    path = f"{os.environ['PATH']}:/usr/sbin"
    packages = [
        package
        for program, package, users in TOOLS
        if (not users or users & used) and not shutil.which(program, path=path)
    ]
    if packages:
        command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        if not options.install:
            raise Failure(f"Some programs are missing. Install them, or say --install:\n  {' '.join(command)}")
        install(command)
    if options.install and "fastapi" in options.contestants and not contestants.peer_folder().exists():
        subprocess.run([contestants.PEER / "setup"], check=True, stdout=sys.stderr)


def install(command):
    """Runs apt-get without the servers that Debian starts when it installs them: policy-rc.d's 101 means no."""
    policy = Path("/usr/sbin/policy-rc.d")
    is_ours = not policy.exists()
    if is_ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.run(command, check=True, stdout=sys.stderr, env=environment)
    finally:
        if is_ours:
            policy.unlink()


Maximum = namedtuple("Maximum", "rate p99_us connections")


class Bench:
    """One run: what was started, and what has been measured so far."""

    def __init__(self, options, scope, folder):
        self.options = options
        self.folder = folder
        self.program = (options.tickloop or build("tickloop")).resolve()
        if {"steady", "overload"} & set(options.sections):
            self.latency = build("latency", ROOT / "Benchmarks")
        self.system = System(scope, folder / "system", self.program, options.rows, options.workers)
        self.contestants = {each.name: each for each in start_contestants(options, self.system)}
        for each in self.contestants.values():
            each.check(self.system)
        # A process gives back the memory of its start some seconds later.
        time.sleep(8)
        self.idle = throughput.memory_of(self.contestants.values())
        self.samples = {}
        self.results = {"machine": machine(), "idle memory": {" ".join(key): value for key, value in self.idle.items()}}

    def has(self, *names):
        return all(name in self.contestants for name in names)

    def show(self, title, headings, rows, result, remark=None):
        """Prints a section, and keeps what was measured for --json."""
        print(f"\n## {title}\n\n{table(headings, rows)}", flush=True)
        if remark:
            print(f"\n{remark}", flush=True)
        self.results[title] = result

    def measure_throughput(self):
        present = list(self.contestants.values())
        self.samples = throughput.alternate(
            present, self.options.connections, self.options.seconds, self.options.rounds
        )
        print(f"\n## Requests, random ranges of 1–30 days\n\n{throughput.show(self.samples)}")
        print(f"\n## Memory\n\n{throughput.show_memory(present, self.idle)}", flush=True)
        self.results["throughput"] = [
            {"contestant": name, "connections": connections, "rate": run.rate, **asdict(run)}
            for (name, connections), runs in self.samples.items()
            for run in runs
        ]

    def maximum(self):
        """The most that ours answers in a closed loop, over the numbers of connections that were measured."""
        runs = {connections: each for (name, connections), each in self.samples.items() if name == "ours"}
        if not runs:
            runs = {64: [wrk(self.contestants["ours"], 64, self.options.seconds, seed=1) for _ in range(2)]}
            self.samples["ours", 64] = runs[64]
        connections, best = max(runs.items(), key=lambda item: median(run.rate for run in item[1]))
        return Maximum(median(run.rate for run in best), median(run.p99_us for run in best), connections)



def start_contestants(options, system):
    wanted = options.contestants
    if "ours" in wanted:
        yield contestants.ours(system)
    if options.against:
        yield contestants.against(system, options.against.resolve())
    if "cached" in wanted:
        yield contestants.cached(system)
    if "floor" in wanted:
        if options.floor.exists():
            yield contestants.floor(system, options.floor)
        else:
            say(f"without the floor: there is no {options.floor}")
    if "nginx" in wanted:
        yield from contestants.nginx_contestants(system)
    if "fastapi" in wanted:
        if contestants.peer_folder().exists():
            yield contestants.fastapi(system)
        else:
            say(f"without the FastAPI peer: run {contestants.PEER / 'setup'} first, or say --install")


def run(options):
    require_tools(options)
    # Descriptors for as many connections as there may be, here and in every child.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with contextlib.ExitStack() as scope:
        folder = Path(scope.enter_context(tempfile.TemporaryDirectory(prefix="tickloop-benchmark-")))
        # The account that runs PostgreSQL must be able to come here.
        folder.chmod(0o755)
        bench = Bench(options, scope, folder)
        print(f"# {machine()}", flush=True)
        met = list(measure(bench))
        if met:
            print(f"\n## Goals\n\n{goals_table(met)}")
        bench.results["goals"] = [asdict(goal) for goal in met]
        if options.json:
            options.json.write_text(json.dumps(bench.results, indent=1) + "\n")


def measure(bench):
    """Everything in its order; gives the goals."""
    sections = {
        "cached": goals.cached_answers,
        "ranges": goals.long_ranges,
        "idle": goals.idle_connections,
        "steady": goals.steady,
        "overload": goals.overload,
        "syscalls": goals.system_calls,
        "orders": orders.orders,
        "relay": placing.relay,
        "outage": placing.outage,
        "tls": tls.tls,
        "snapshot": placing.snapshot,
        "latest": market.latest,
        "events": market.events,
        "streams": streams.streams,
        "proxy": proxying.proxying,
        "statistics": statistics.statistics,
        "conversations": conversations.conversations,
        "imports": market.imports,
        "bars": market.bars,
        "volume": goals.volume,
    }
    if "throughput" in bench.options.sections:
        say("throughput")
        bench.measure_throughput()
        yield from goals.of_throughput(bench)
    yield from goals.idle_memory(bench)
    for name, section in sections.items():
        if name in bench.options.sections:
            say(name)
            yield from section(bench)


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return f"{os.cpu_count()} × {models[0] if models else platform.machine()}, Linux {platform.release()}"


def main():
    def end(number, _):
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    try:
        run(arguments())
    except Failure as failure:
        say(f"\n{failure}")
        return 1
    except KeyboardInterrupt:
        say("\ninterrupted; everything that was started has been ended")
        return 130
    return 0
