"""The command line, and the order of events."""

import argparse
import asyncio
import contextlib
import random
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

from comparison.processes import Failure, say
from comparison.system import build

from . import answers, hoarders, market
from .clients import Client, Log
from .plan import Attacker, plan
from .target import Target

# What the exchange does to those who call it, beside its usual one in ten.
BEHAVIOUR = {
    "failure_rate": 0.1, "latency_ms": 100, "lost_answer_rate": 0.05, "garbled_rate": 0.02, "reset_rate": 0.02,
    "hang_rate": 0.01,
}
CALM = BEHAVIOUR | {"latency_ms": 50, "lost_answer_rate": 0, "garbled_rate": 0, "reset_rate": 0, "hang_rate": 0}
# What it does to its own reports of executions; it tells all of them again by number.
REPORTS = {"drop_rate": 0.03, "repeat_rate": 0.03, "swap_rate": 0.03, "correction_rate": 0.05}
CALM_REPORTS = dict.fromkeys(REPORTS, 0)
# Longest that an order may wait after the last fault.
PATIENCE = 60


def arguments():
    parser = argparse.ArgumentParser(
        prog="Benchmarks/chaos",
        description="orders: places orders while gateway, API, workers, Redis, PostgreSQL and the exchange are killed,\n"
        "stopped and restarted; then compares what the clients were told with the exchange's ledger, the tables and\n"
        "the events. answers: asks for averages while one fault of some thirty kinds follows the other, and judges\n"
        "each answer, and how soon all is right again. hoarders: asks and never reads, and looks at the gateway's\n"
        "memory. market: polls prices in peace and under faults, and asks SQL whether a price, an event or an effect is\n"
        "missing. Ends with 0 if every promise is kept.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option("what", choices=["orders", "answers", "hoarders", "market"], help="what is put to the proof")
    option("--seed", type=int, help="decides what happens to whom, and when; default: a new one, which is said")
    option("--minutes", type=float, help="how long; default: 2 for orders and market, 5 for answers, 0.5 for hoarders")
    option("--orders", type=int, help="default: 10,000 a minute")
    option("--connections", type=int, help="default: 64 for orders, 24 for answers, 420 for hoarders")
    option("--only", action="append", metavar="WORD", help="answers: only faults with this in their name; repeatable")
    option("--faults", type=int, metavar="N", help="answers: not more than these; default: as many as the time has")
    option("--tickloop", type=Path, metavar="PROGRAM", help="a program that is built already")
    option("--keep", type=Path, metavar="FOLDER", help="leave logs and data there, in a folder that is not there yet")
    options = parser.parse_args()
    minutes, connections = {"orders": (2, 64), "answers": (5, 24), "hoarders": (0.5, 420), "market": (2, 0)}[options.what]
    options.minutes = options.minutes or minutes
    options.connections = options.connections or connections
    options.orders = options.orders or int(options.minutes * 10_000)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


async def fight(options, target, log):
    """Clients and faults at the same time."""
    seconds = options.minutes * 60
    end = time.monotonic() + seconds
    attacker = Attacker(target.data / "run")
    each = -(-options.orders // options.connections)
    interval = 0.8 * seconds / each
    clients = [Client(number, options.seed, target.gateway, log) for number in range(options.connections)]
    attack = asyncio.create_task(attacker.carry_out(plan(options.seed, seconds)))
    remind = asyncio.create_task(keep_reminding(target))
    try:
        await asyncio.gather(*(client.run(each, interval, end) for client in clients))
        await attack
    finally:
        remind.cancel()
        attack.cancel()
        attacker.end()
    return attacker


async def keep_reminding(target):
    """An exchange that was killed behaves as its configuration says until it is told again."""
    while True:
        await asyncio.to_thread(target.behave, BEHAVIOUR, REPORTS)
        await asyncio.sleep(1)


def settle(target):
    """Waits until all is well, no order waits and all is reported; returns how long each took."""
    start = time.monotonic()
    while not (target.is_ready() and target.behave(CALM, CALM_REPORTS)):
        if time.monotonic() - start > PATIENCE:
            raise Failure("the system did not come back after the last fault")
        time.sleep(0.1)
    while (oldest := target.waiting()) is not None:
        if time.monotonic() - start > PATIENCE:
            lines = target.tool("stuck", "--limit", 20).stdout
            raise Failure(f"an order still waits, {oldest:.0f} s old, {PATIENCE} s after the last fault:\n{lines}")
        time.sleep(0.2)
    placed = time.monotonic() - start
    while (behind := target.behind()) != 0:
        if time.monotonic() - start > PATIENCE:
            raise Failure(f"{behind} orders are known better at the exchange, {PATIENCE} s after the last fault")
        time.sleep(0.5)
    return placed, time.monotonic() - start


def report(options, attacker, log, settled):
    faults = Counter(f"{fault.action} {fault.name}" for fault in attacker.done)
    latencies = sorted(log.latencies)
    quantile = lambda share: latencies[min(len(latencies) - 1, int(share * len(latencies)))] * 1000  # noqa: E731
    print(f"seed     {options.seed}, {options.minutes:g} minutes, {options.connections} connections")
    print(f"faults   {len(attacker.done)}: {', '.join(f'{count} × {name}' for name, count in sorted(faults.items()))}")
    print(f"answers  {', '.join(f'{count} × {name}' for name, count in sorted(log.counts.items()))}")
    if latencies:
        print(f"a 201    took {quantile(0.5):.1f} ms at the median, {quantile(0.99):.0f} ms at the 99th percentile")
    print("settled  {:.1f} s after the last order, every report taken in {:.1f} s after it".format(*settled), flush=True)


def run(options):
    program = (options.tickloop or build("tickloop")).resolve()
    with contextlib.ExitStack() as scope:
        if options.keep:
            folder = options.keep.resolve()
            folder.mkdir(parents=True)
        else:
            folder = Path(scope.enter_context(tempfile.TemporaryDirectory(prefix="tickloop-chaos-")))
        # The account that runs PostgreSQL must be able to come here.
        folder.chmod(0o755)
        if options.what == "market":
            return market.prove(Target(scope, folder, program, workers=3), scope, options.minutes * 60 / 2)
        target = Target(scope, folder, program)
        if options.what == "answers":
            return answers.run(options, target)
        if options.what == "hoarders":
            return hoarders.run(options, target)
        if not target.behave(BEHAVIOUR, REPORTS):
            raise Failure("the exchange does not answer")
        say(f"seed {options.seed}: {options.orders} orders in {options.minutes:g} minutes")
        log = Log(folder / "answers.jsonl")
        attacker = asyncio.run(fight(options, target, log))
        log.close()
        settled = settle(target)
        report(options, attacker, log, settled)
        for line in log.wrong[:20]:
            print(f"WRONG    {line}")
        check = target.tool("check", "--ledger", target.exchange, "--log", folder / "answers.jsonl")
        print(check.stdout + check.stderr, end="", flush=True)
        if not log.counts["POST 201"]:
            raise Failure("no order was taken: this proves nothing")
        return 1 if log.wrong else check.returncode


def main():
    def end(number, _):
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    try:
        return run(arguments())
    except Failure as failure:
        say(f"\n{failure}")
        return 1
    except KeyboardInterrupt:
        say("\ninterrupted; everything that was started has been ended")
        return 130
