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
from dataclasses import asdict
from pathlib import Path

from . import contestants, throughput
from .processes import Failure, say
from .report import goals_table
from .system import ROOT, System, build

# Programs, the Debian package of each, and who needs it (None: everybody).
TOOLS = [("wrk", "wrk", None), ("psql", "postgresql-client", None), ("nginx", "nginx-light", "nginx"), ("gcc", "gcc", "floor")]

CONTESTANTS = ["ours", "cached", "floor", "nginx"]


def arguments():
    parser = argparse.ArgumentParser(
        prog="Benchmarks/run",
        description="Compares Tickloop on this machine with the least C of the same shape, with nginx and with FastAPI + "
        "Celery, and measures what the goals ask for. Tables go to standard output.",
    )
    integers = lambda text: [int(word) for word in text.split(",")]  # noqa: E731
    words = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--quick", action="store_true", help="one round of short samples: to see that all works")
    parser.add_argument("--contestants", type=words, default=CONTESTANTS, help="default: %(default)s")
    parser.add_argument("--connections", type=integers, help="default: 1,16,64,256")
    parser.add_argument("--seconds", type=int, help="length of one sample; default: 4, with --quick 1")
    parser.add_argument("--rounds", type=int, help="samples of each kind; default: 3, with --quick 1")
    parser.add_argument("--rows", type=int, help="prices in the database; default: 1,000,000, with --quick 100,000")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of ours; default: 1, as the floor has")
    parser.add_argument("--tickloop", type=Path, metavar="PROGRAM", help="a program that is built already")
    parser.add_argument("--against", type=Path, metavar="PROGRAM", help="another build of ours, to compare with")
    parser.add_argument("--floor", type=Path, metavar="FILE", default=ROOT / "../shared/bench/floor.c")
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything that was measured")
    parser.add_argument("--install", action="store_true", help="install missing tools with apt-get")
    options = parser.parse_args()
    options.connections = options.connections or ([1, 64] if options.quick else [1, 16, 64, 256])
    options.seconds = options.seconds or (1 if options.quick else 4)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.rows = options.rows or (100_000 if options.quick else 1_000_000)
    unknown = set(options.contestants) - set(CONTESTANTS)
    if unknown:
        parser.error(f"no such contestant: {', '.join(sorted(unknown))}")
    return options


def require_tools(options):
    packages = [
        package
        for program, package, contestant in TOOLS
        if contestant in (None, *options.contestants)
        and not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    ]
    if not packages:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if not options.install:
        raise Failure(f"Some programs are missing. Install them, or say --install:\n  {' '.join(command)}")
    subprocess.run(command, check=True, stdout=sys.stderr)


def run(options):
    require_tools(options)
    # Descriptors for as many connections as there may be, here and in every child.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    program = (options.tickloop or build("tickloop")).resolve()

    with contextlib.ExitStack() as scope:
        folder = scope.enter_context(tempfile.TemporaryDirectory(prefix="tickloop-benchmark-"))
        os.chmod(folder, 0o755)
        system = System(scope, Path(folder) / "system", program, options.rows, options.workers)
        measure(options, system)


def measure(options, system):
    present = start_contestants(options, system)
    for each in present:
        each.check(system)
    idle = throughput.memory_of(present)

    print(f"# {machine()}\n\n## Requests, random ranges of 1–30 days\n", flush=True)
    samples = throughput.alternate(present, options.connections, options.seconds, options.rounds)
    print(throughput.show(samples))
    print(f"\n## Memory\n\n{throughput.show_memory(present, idle)}", flush=True)
    if options.json:
        options.json.write_text(json.dumps({
            "machine": machine(),
            "samples": [
                {"contestant": name, "connections": connections, "rate": run.rate, **asdict(run)}
                for (name, connections), runs in samples.items() for run in runs
            ],
        }, indent=1))


def start_contestants(options, system):
    present = []
    if "ours" in options.contestants:
        present.append(contestants.ours(system))
    if options.against:
        present.append(contestants.against(system, options.against.resolve()))
    if "cached" in options.contestants:
        present.append(contestants.cached(system))
    if "floor" in options.contestants:
        if options.floor.exists():
            present.append(contestants.floor(system, options.floor))
        else:
            say(f"no floor: there is no {options.floor}")
    if "nginx" in options.contestants:
        present += contestants.nginx(system)
    return present


def machine():
    models = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
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
