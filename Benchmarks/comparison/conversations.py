"""Conversations: how fast a set of them is imported, and searched with and without a cache."""

import json
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from .contestants import Contestant, nginx_text
from .load import per_cpu_second, run_generator
from .processes import Failure, ProcessTree, fetch, free_ports, say
from .report import Goal, mebibytes, milliseconds, number, spread
from .system import ROOT

SCRIPT = Path(__file__).resolve().parents[1] / "conversations.lua"
CONVERSATIONS_OF_A_COMPANY = 200
SAMPLE_QUERY = "company=microsoft&tags=competition,orientation"

# What is asked without a cache, and of how many connections.
QUESTIONS = [
    ("company and tags", "company=COMPANY&tags=TAGS", 1),
    ("company and tags", "company=COMPANY&tags=TAGS", 16),
    ("company", "company=COMPANY", 1),
    ("tags, a quarter of the set", "tags=TAGS", 1),
    ("q, a word of one transcript", "q=Osprey5", 1),
    ("q, a word of half of all texts", "q=supplier", 1),
    ("q, company and tags", "q=supplier&company=COMPANY&tags=TAGS", 1),
]


@dataclass
class Import:
    rows: int
    seconds: float
    resident: int

    @property
    def rate(self):
        return self.rows / self.seconds


def load(system, folder, *options):
    """Imports a set, and watches how much memory the command and its reader have together."""
    most = 0
    start = time.monotonic()
    words = [system.program, "import", "conversations", "--relate-by-order", *options, folder]
    process = subprocess.Popen(
        [str(word) for word in words], env=system.environment, cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    tree = ProcessTree(process.pid)
    while process.poll() is None:
        most = max(most, tree.memory()["resident"])
        time.sleep(0.1)
    said = process.stdout.read()
    if process.returncode != 0:
        raise Failure(f"the import failed:\n{said}")
    return Import(int(said.splitlines()[-1].split()[0]), time.monotonic() - start, most)


def search(contestant, companies, query, connections, seconds, seed=1):
    """Runs wrk; returns what it measured and the CPU seconds by role."""
    before = {role: tree.cpu_seconds() for role, tree in contestant.roles.items()}
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", SCRIPT, contestant.url]
    output, _ = run_generator([str(word) for word in [*words, "--", companies, query, seed]])
    result = json.loads(output.splitlines()[-1])
    result["cpu"] = {role: tree.cpu_seconds() - before[role] for role, tree in contestant.roles.items()}
    if result["requests"] == 0 or any(result["errors"].values()):
        raise Failure(f"{contestant.name} did not answer {query}: {result}")
    return result


def uncached(system):
    """A gateway and an API that keep nothing in Redis: what differs with each question is asked of the gateway, what is
    always the same of the API, as a gateway repeats answers for a quarter of a second."""
    gateway_port, api_port = free_ports(2)
    socket = f"unix:{system.data}/run/uncached.sock"
    api = system.copy("api", "api-uncached", api_port, None, [socket], CONVERSATIONS_CACHE_TTL_S=0)
    gateway = system.copy("gateway", "gateway-uncached", gateway_port, UPSTREAM_ADDRESS=socket)
    roles = {"gateway": ProcessTree(gateway.pid), "api": ProcessTree(api.pid)} | system.servers()
    return (
        Contestant("uncached", f"http://127.0.0.1:{gateway_port}", roles),
        Contestant("uncached API", f"http://127.0.0.1:{api_port}", roles),
    )


def conversations(bench):
    system, options = bench.system, bench.options
    count = 20_000 if options.quick else 1_000_000
    companies = count // CONVERSATIONS_OF_A_COMPANY
    folder = bench.folder / "conversations"
    say(f"  making {count:,} conversations")
    system.run([ROOT / "etc/make-sample-conversations", folder, count])
    plain, api = uncached(system)
    yield from imports(bench, plain, folder, companies)
    yield from searches(bench, plain, api, companies)
    yield from cached(bench)


def imports(bench, plain, folder, companies):
    system = bench.system
    say("  importing without the text index")
    without = load(system, folder, "--no-text-index")
    say("  importing with it")
    whole = load(system, folder)
    # The same once more, under readers, then the whole set again: sets that are not different are not taken.
    say("  importing while readers search")
    reading = {}
    reader = threading.Thread(
        target=lambda: reading.update(
            search(plain, companies, "company=COMPANY&tags=TAGS", 8, max(5, int(without.seconds * 2)))
        )
    )
    reader.start()
    time.sleep(1)
    under_readers = load(system, folder, "--no-text-index")
    reader.join()
    if not reading:
        raise Failure("readers met an error while a set was imported")
    load(system, folder)
    bench.show(
        f"Imports of {whole.rows:,} rows",
        ["", "seconds", "rows/s", "MiB, reader included"],
        [
            [name, number(each.seconds, 1), number(each.rate), mebibytes(each.resident)]
            for name, each in (
                ("without the text index", without), ("with it", whole), ("without, 8 readers beside", under_readers),
            )
        ],
        {"without": vars(without), "with": vars(whole), "readers": reading},
        f"The readers: {number(reading['requests'])} answers, no errors, p50 {milliseconds(reading['p50_us'])} ms, "
        f"p99 {milliseconds(reading['p99_us'])} ms, at most {milliseconds(reading['max_us'])} ms.",
    )
    yield Goal("rows/s of an import without the text index", "≥ 50,000", number(without.rate), without.rate >= 50_000)
    yield Goal("rows/s of an import with the text index", "≥ 10,000", number(whole.rate), whole.rate >= 10_000)
    most = max(without.resident, whole.resident)
    yield Goal("memory of an import", "< 300 MiB", f"{mebibytes(most)} MiB", most < 300 * 2**20)


def searches(bench, plain, api, companies):
    runs = {}
    for round_number in range(bench.options.rounds):
        for name, query, connections in QUESTIONS:
            whom = plain if "COMPANY" in query and "TAGS" in query else api
            run = search(whom, companies, query, connections, bench.options.seconds, 1 + round_number)
            runs.setdefault((name, connections), []).append(run)
    bench.show(
        "Searches, nothing cached",
        ["question, connections", "answers/s", "p50 ms", "p99 ms"],
        [
            [
                f"{name}, {connections}", spread([run["requests"] / run["seconds"] for run in each]),
                milliseconds(median(run["p50_us"] for run in each)),
                milliseconds(median(run["p99_us"] for run in each)),
            ]
            for (name, connections), each in runs.items()
        ],
        {f"{name}, {connections}": each for (name, connections), each in runs.items()},
        "Company and tags together through a gateway; what repeats more often goes to the API.",
    )
    p50 = median(run["p50_us"] for run in runs["company and tags", 1])
    yield Goal("p50 of a search by company and tags, not cached", "≤ 5 ms", f"{milliseconds(p50)} ms", p50 <= 5000)


def cached(bench):
    system = bench.system
    target = f"/api/conversations?{SAMPLE_QUERY}"
    status, body = fetch(f"{system.url}{target}")
    if status != 200:
        raise Failure(f"the search is answered {status}: {body[:200]!r}")
    roles = {role: system.tree(role) for role in ("gateway", "api")} | system.servers()
    sides = [Contestant("cached", system.url, roles), nginx_text(system, "nginx-conversations", body.decode())]
    rates = per_cpu_second(sides, target, 64, bench.options.seconds, bench.options.rounds)
    bench.show(
        "Cached searches, 64 connections, one question",
        ["contestant", "requests per CPU second"],
        [[name, spread(each)] for name, each in rates.items()],
        rates,
    )
    share = median(rates["cached"]) / median(rates["nginx return 200"])
    what = "cached searches per CPU second, against nginx return 200"
    yield Goal(what, "≥ 0.9 ×", f"{share:.2f} ×", share >= 0.9)
