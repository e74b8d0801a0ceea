"""The command line, and the order of events."""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from comparison.processes import Child, Failure, fetch, free_ports, say
from comparison.system import ROOT, build

from .clients import Client, Log
from .plan import Attacker, plan

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
        description="Places orders while gateway, API, workers, Redis, PostgreSQL and the exchange are killed,\n"
        "stopped and restarted; then compares what the clients were told with the exchange's ledger, the tables and\n"
        "the events. Ends with 0 if every promise is kept.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option("what", choices=["orders"], help="what is put to the proof")
    option("--seed", type=int, help="decides what happens to whom, and when; default: a new one, which is said")
    option("--minutes", type=float, default=2, help="how long orders are placed; default: 2")
    option("--orders", type=int, help="default: 10,000 a minute")
    option("--connections", type=int, default=64, help="default: 64")
    option("--tickloop", type=Path, metavar="PROGRAM", help="a program that is built already")
    option("--keep", type=Path, metavar="FOLDER", help="leave logs and data there, in a folder that is not there yet")
    options = parser.parse_args()
    options.orders = options.orders or int(options.minutes * 10_000)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


class Target:
    """`tickloop up`, and what the proof has to know of it."""

    def __init__(self, scope, folder, program):
        self.program = program
        self.folder = folder
        (port,) = free_ports(1)
        self.gateway = ("127.0.0.1", port)
        self.data = folder / "data"
        words = ["up", "--data", self.data, "--port", port, "--workers", 2, "--home", ROOT]
        up = scope.enter_context(Child("up", [program, *words], folder / "up.log"))
        up.wait_until((self.data / "run/env").exists, "ready system", 180)
        text = (self.data / "run/env").read_text()
        self.environment = dict(os.environ, **dict(re.findall(r"^export (\w+)='(.*)'$", text, re.MULTILINE)))
        self.exchange = self.environment.get("TICKLOOP_SIMULATOR_URL") or self._simulator()

    def _simulator(self):
        groups = json.loads((self.data / "run/targets.json").read_text())
        return next(f"http://{group['targets'][0]}" for group in groups if group["labels"]["job"] == "simulator")

    def behave(self, behaviour, reports):
        """Tells the exchange what to do; whether it has heard."""
        return self._put("behaviour", behaviour) and self._put("reports/behaviour", reports)

    def _put(self, path, behaviour):
        request = urllib.request.Request(
            f"{self.exchange}/exchange/{path}", json.dumps(behaviour).encode(),
            {"Content-Type": "application/json"}, method="PUT",
        )
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:
                return answer.status == 200
        except urllib.error.HTTPError as error:
            raise Failure(f"the exchange does not take its behaviour: {error.code} {error.read().decode()}") from error
        except OSError:
            return False

    def is_ready(self):
        try:
            return fetch("http://{}:{}/ready".format(*self.gateway), 2)[0] == 200
        except OSError:
            return False

    def tool(self, *words):
        return subprocess.run(
            [self.program, "orders", *map(str, words)], env=self.environment, cwd=ROOT, capture_output=True, text=True
        )

    def waiting(self):
        """How many seconds the order has waited that has waited longest; None if none does."""
        done = self.tool("stuck", "--json", "--limit", 1)
        if done.returncode != 0:
            return float("inf")
        return json.loads(done.stdout.splitlines()[0])["waits_ms"] / 1000 if done.stdout.strip() else None

    def behind(self):
        """How many orders the exchange knows more of; None if that could not be found out."""
        done = self.tool("check", "--json", "--ledger", self.exchange)
        if done.returncode == 2 or not done.stdout.strip():
            return None
        findings = json.loads(done.stdout)
        return findings["unsettled"] + findings["unreported"]


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
        target = Target(scope, folder, program)
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
