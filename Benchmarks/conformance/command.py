"""The command line, and the order of events."""

import argparse
import contextlib
import sys
import tempfile
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from comparison.processes import Failure, free_ports, say
from comparison.report import table

from . import bodies, contestants, hops  # noqa: F401 (the checks register themselves)
from .checks import ALL, ROWS, run_all
from .wire import Upstream

# What only a proxy that caches can get wrong is asked of one that does, where there is one.
CACHE_ROW = 15


def arguments():
    parser = argparse.ArgumentParser(
        prog="Benchmarks/proxycheck",
        description="Sends what new reverse proxies get wrong through a proxy that passes everything on to a port of\n"
        "this machine, where this program listens. Prints the faults; ends with 0 if there are none.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option("url", nargs="?", metavar="URL", help="the proxy, http://HOST:PORT; it sends all to --upstream")
    option("--upstream", type=int, metavar="PORT", help="where the proxy looks for its upstream")
    option("--rows", type=lambda text: {int(word) for word in text.split(",")}, help="only these rows of the table")
    option("--ours", type=Path, metavar="PROGRAM", help="start this tickloop's gateway and check it")
    option("--others", action="store_true", help="start each other proxy that is installed, and compare")
    option("--faults", action="store_true", help="with --others: say also what was wrong with these")
    option("--list", action="store_true", help="print the checks and do nothing")
    options = parser.parse_args()
    if not options.list and bool(options.url) == bool(options.ours or options.others):
        parser.error("say either URL with --upstream, or --ours and --others")
    if options.url and not options.upstream:
        parser.error("URL needs --upstream")
    return options


def say_fault(name):
    def report(check, fault):
        if fault:
            print(f"{name}: {check.row:>2} {check.title}: {fault}", flush=True)

    return report


def check_running(url, port, rows):
    parts = urlsplit(url)
    return run_all((parts.hostname, parts.port or 80), Upstream(port), rows, say_fault(parts.netloc))


def check_started(name, plain, cached, rows, is_told):
    """Starts a proxy without a cache for most rows, and with one for the row of caches."""
    outcomes = []
    with contextlib.ExitStack() as scope, tempfile.TemporaryDirectory(prefix="proxycheck-") as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        (port,) = free_ports(1)
        upstream = Upstream(port)
        wanted = rows or set(ROWS)
        runs = [(plain, wanted - {CACHE_ROW}), (cached or plain, wanted & {CACHE_ROW})]
        for number, (command, some) in enumerate(runs):
            if not some:
                continue
            with contextlib.ExitStack() as inner:
                address, child = contestants.start(inner, name, command, folder / str(number), port)
                outcomes += run_all(address, upstream, some, say_fault(name) if is_told else None)
                if child.process.poll() is not None:
                    raise Failure(f"{name} ended with {child.process.returncode}:\n{child.last_lines()}")
    return outcomes


def scores(results):
    """A line for each row: how many of its checks each proxy passes."""
    count = Counter(each.row for each in ALL)
    lines = []
    for row, title in ROWS.items():
        cells = []
        for outcomes in results.values():
            passed = sum(1 for check, fault in outcomes if check.row == row and not fault)
            cells.append(f"{passed}" if passed < count[row] else f"{passed} ✓")
        lines.append([str(row), title, str(count[row]), *cells])
    totals = [str(sum(1 for _, fault in outcomes if not fault)) for outcomes in results.values()]
    lines.append(["", "all", str(len(ALL)), *totals])
    return table(["", "row", "checks", *results], lines)


def main():
    options = arguments()
    if options.list:
        for each in ALL:
            print(f"{each.row:>2} {each.title}")
        return 0
    if options.url:
        outcomes = check_running(options.url, options.upstream, options.rows)
        passed = sum(1 for _, fault in outcomes if not fault)
        print(f"{passed} of {len(outcomes)} checks passed")
        return 0 if passed == len(outcomes) else 1
    try:
        results = {}
        if options.ours:
            command = contestants.ours(options.ours.resolve(), cache=False), contestants.ours(options.ours.resolve())
            results["Tickloop"] = check_started("Tickloop", *command, options.rows, True)
        for name, (program, plain, cached) in contestants.OTHERS.items() if options.others else ():
            if Path(program).exists():
                say(f"checking {name}")
                results[name] = check_started(name, plain, cached, options.rows, options.faults)
            else:
                say(f"{name} is not installed")
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 2
    print(scores(results))
    return 0 if all(not fault for _, fault in results.get("Tickloop", ())) else 1
