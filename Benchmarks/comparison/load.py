"""The generators of load, and what one run of them gives."""

import json
import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .processes import Failure, die_with_parent
from .system import FIRST_ASKED_DAY, LAST_ASKED_DAY

SCRIPT = Path(__file__).resolve().parents[1] / "ranges.lua"
REPORT = SCRIPT.with_name("report.lua")


@dataclass
class Ranges:
    """What is asked for: random ranges of `shortest` to `longest` days between two days."""

    first: str = FIRST_ASKED_DAY
    last: str = LAST_ASKED_DAY
    shortest: int = 1
    longest: int = 30


@dataclass
class Sample:
    """One run of wrk against one contestant."""

    requests: int
    seconds: float
    p50_us: int
    p90_us: int
    p99_us: int
    p999_us: int
    max_us: int
    errors: dict
    # CPU microseconds per request, by role, without the generator's.
    cpu_us: dict
    generator_cpu_us: float

    @property
    def rate(self):
        return self.requests / self.seconds

    @property
    def total_cpu_us(self):
        return sum(self.cpu_us.values())

    @property
    def error_count(self):
        return sum(self.errors.values())


def wrk(contestant, connections, seconds, ranges=Ranges(), seed=1, script=SCRIPT):
    """Runs wrk, one thread, closed loop: a connection asks again as soon as it has its answer."""
    command = [
        "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script, contestant.url,
        "--", ranges.first, ranges.last, ranges.shortest, ranges.longest, seed,
    ]  # fmt: skip
    before = {role: tree.cpu_seconds() for role, tree in contestant.roles.items()}
    output, generator_seconds = run_generator([str(word) for word in command])
    used = {role: tree.cpu_seconds() - before[role] for role, tree in contestant.roles.items()}
    result = json.loads(output.splitlines()[-1])
    del result["bytes"]
    requests = result["requests"]
    if requests == 0:
        raise Failure(f"{contestant.name} answered nothing in {seconds} s:\n{output}")
    return Sample(
        **result,
        cpu_us={role: each / requests * 1e6 for role, each in used.items()},
        generator_cpu_us=generator_seconds / requests * 1e6,
    )


def ask(contestant, target, connections, seconds):
    """Runs wrk with one question, always the same; returns what it measured and the CPU seconds by role."""
    before = {role: tree.cpu_seconds() for role, tree in contestant.roles.items()}
    url = f"{contestant.url}{target}"
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", REPORT, url]
    output, _ = run_generator([str(word) for word in words])
    result = json.loads(output.splitlines()[-1])
    result["cpu"] = {role: tree.cpu_seconds() - before[role] for role, tree in contestant.roles.items()}
    if result["requests"] == 0 or any(result["errors"].values()):
        raise Failure(f"{contestant.name} did not answer {target}: {result}")
    return result


def per_cpu_second(sides, target, connections, seconds, rounds):
    """One question to each in turns; requests by the CPU second of the process that answers, by name."""
    rates = {side.name: [] for side in sides}
    for number in range(rounds):
        turn = number % 2
        for side in sides[turn:] + sides[:turn]:
            # What is measured is a cache that has the answer, and connections that are open.
            ask(side, target, connections, 1)
            run = ask(side, target, connections, seconds)
            rates[side.name].append(run["requests"] / run["cpu"]["gateway"])
    return rates


def open_loop(program, contestant, rate, seconds, warm_up, outstanding, folder):
    """Runs the latency tool: requests arrive at a fixed rate, whatever has become of those before.

    :returns: What the tool's JSON says of this target.
    """
    result = Path(folder) / "latency.json"
    command = [
        program, f"{contestant.name}={contestant.url}", "--rate", rate, "--duration", seconds, "--slice", seconds,
        "--warm-up", warm_up, "--outstanding", outstanding, "--from", FIRST_ASKED_DAY, "--to", LAST_ASKED_DAY,
        "--timeout", 10, "--json", result,
    ]  # fmt: skip
    run_generator([str(word) for word in command])
    return json.loads(result.read_text())["targets"][0]


def run_generator(command):
    """Runs a generator to its end; returns its output and CPU seconds."""
    with tempfile.TemporaryFile("w+") as output:
        # In its own session, so that Ctrl-C comes to us first.
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=die_with_parent
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        raise Failure(f"{' '.join(command)} ended with {process.returncode}:\n{text}")
    return text, usage.ru_utime + usage.ru_stime
