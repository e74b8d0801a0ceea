"""Orders: how many durable ones a second, against the same inserts by pgbench, one transaction an order."""

import contextlib
import json
import math
import os
import signal
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from .contestants import Contestant
from .load import run_generator, wrk
from .processes import Failure, say
from .report import Goal, milliseconds, number, spread

SCRIPT = Path(__file__).resolve().parents[1] / "orders.lua"

# Tables like ours, with the same indexes and constraints, and nothing that makes transactions wait for one another.
PREPARATION = """
drop table if exists bench_orders, bench_events, bench_outbox;
drop sequence if exists bench_ids;
create table bench_orders (like orders including all);
create table bench_events (like order_events including all);
create table bench_outbox (like outbox including all, primary key (id));
create sequence bench_ids cache 1000;
"""
PEER_PREPARATION = """
drop table if exists peer_orders, peer_events, peer_outbox;
drop sequence if exists peer_positions, peer_messages;
create table peer_orders (like orders including all);
create table peer_events (like order_events including all);
create table peer_outbox (like outbox including all, primary key (id));
create sequence peer_positions;
create sequence peer_messages;
"""
MEMBERS = '{"type":"limit","side":"buy","instrument":"DE000A0Q4RZ3","limit_price":150.00,"quantity":10}'
# What a program does that stores an order by a transaction of its own. Ids grow, as ours do, so that the indexes are
# written at their right edges.
TRANSACTION = f"""
begin;
insert into bench_orders (id, created_at, type, side, instrument, limit_price, quantity)
values (lpad(to_hex(nextval('bench_ids')), 32, '0')::uuid, now(), 'limit', 'buy', 'DE000A0Q4RZ3', 150.00, 10);
insert into bench_events (position, order_id, version, type, data, created_at)
values (
    currval('bench_ids'), lpad(to_hex(currval('bench_ids')), 32, '0')::uuid, 1, 'OrderSubmitted',
    '{MEMBERS}'::jsonb, now()
);
insert into bench_outbox (id, destination, key, payload)
values (
    currval('bench_ids'), 'exchange', lpad(to_hex(currval('bench_ids')), 32, '0')::uuid, '{MEMBERS}'::jsonb
);
commit;
"""
# The same in one statement: one round trip and one commit, the least that a transaction an order can cost.
STATEMENT = f"""
with fresh as (
    select nextval('bench_ids') as number
), ids as (
    select number, lpad(to_hex(number), 32, '0')::uuid as id from fresh
), stored as (
    insert into bench_orders (id, created_at, type, side, instrument, limit_price, quantity)
    select id, now(), 'limit', 'buy', 'DE000A0Q4RZ3', 150.00, 10 from ids
), told as (
    insert into bench_events (position, order_id, version, type, data, created_at)
    select number, id, 1, 'OrderSubmitted', '{MEMBERS}'::jsonb, now() from ids
)
insert into bench_outbox (id, destination, key, payload)
select number, 'exchange', id, '{MEMBERS}'::jsonb from ids;
"""


@dataclass
class Run:
    rate: float
    p50_us: float
    p99_us: float
    # Orders for each time that the log of the database was flushed to the disk.
    per_flush: float


class Database:
    """What PostgreSQL itself says, and pgbench on it."""

    def __init__(self, system, folder):
        self.system = system
        self.folder = folder

    def ask(self, statement):
        return self.system.run(["psql", "-qAtX", self.system.database_url, "-c", statement]).strip()

    def flushes(self):
        return int(self.ask("select wal_sync from pg_stat_wal"))

    def pgbench(self, text, clients, seconds, number_of_run):
        script, log = self.folder / "order.sql", self.folder / f"pgbench-{clients}-{number_of_run}"
        script.write_text(text)
        before = self.flushes()
        # -l: a line for each transaction, from which come the percentiles.
        run_generator([
            "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(seconds), "-f", str(script),
            "-l", "--log-prefix", str(log), self.system.database_url,
        ])  # fmt: skip
        flushes = self.flushes() - before
        lines = [line for file in self.folder.glob(f"{log.name}.*") for line in file.read_text().splitlines()]
        times = sorted(int(line.split()[2]) for line in lines)
        if not times:
            raise Failure("pgbench stored nothing")
        return Run(len(times) / seconds, percentile(times, 0.5), percentile(times, 0.99), len(times) / max(1, flushes))


def percentile(values, share):
    return values[min(len(values) - 1, math.floor(share * len(values)))]


def exchange(system, **behaviour):
    """Tells the simulated exchange what to do; without one, orders wait, which is all that the intake needs."""
    url = system.environment.get("TICKLOOP_SIMULATOR_URL")
    if not url:
        return False
    body = json.dumps(behaviour).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/exchange/behaviour", body, headers, method="PUT")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status == 200


def orders(bench):
    system, options = bench.system, bench.options
    folder = bench.folder / "orders"
    folder.mkdir()
    database = Database(system, folder)
    durable = [database.ask(f"show {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")]
    if durable != ["on", "on", "on"]:
        raise Failure(f"this database does not keep what it commits: {durable}")
    database.ask(PREPARATION)
    roles = {role: system.tree(role) for role in ("gateway", "api", "worker")} | system.servers()
    ours = {
        "ours": Contestant("ours", system.url, roles),
        "ours, the API alone": Contestant("api", system.environment["TICKLOOP_API_URL"], roles),
    }
    services = dict(ours)
    if bench.has("fastapi"):
        database.ask(PEER_PREPARATION)
        services["fastapi"] = bench.contestants["fastapi"]
    # The breaker is open: what is placed meanwhile is another measurement.
    exchange(system, failure_rate=1)
    runs, number_of_run = {}, 0
    with stopped_workers(services.get("fastapi")):
        for _ in range(options.rounds):
            for clients in (1, 64):
                for name, contestant in services.items():
                    say(f"  {name}, {clients} connections")
                    run = service_once(database, contestant, clients, options.seconds)
                    runs.setdefault((name, clients), []).append(run)
                for name, text in (("pgbench", TRANSACTION), ("pgbench, one statement", STATEMENT)):
                    say(f"  {name}, {clients} clients")
                    number_of_run += 1
                    run = database.pgbench(text, clients, options.seconds, number_of_run)
                    runs.setdefault((name, clients), []).append(run)
    show(bench, runs)
    yield from goals(runs)
    end_to_end(bench, database, services)


@contextlib.contextmanager
def stopped_workers(peer):
    """Its workers have no breaker: what they would do now is another measurement."""
    pids = peer.roles["worker"].pids() if peer else []
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def service_once(database, contestant, clients, seconds):
    before = database.flushes()
    sample = wrk(contestant, clients, seconds, script=SCRIPT)
    flushes = database.flushes() - before
    if sample.error_count:
        raise Failure(f"{contestant.name} did not take all orders: {sample.errors}")
    return Run(sample.rate, sample.p50_us, sample.p99_us, sample.requests / max(1, flushes))


def show(bench, runs):
    bench.show(
        "Orders, each durable when it is answered; nothing is placed",
        ["contestant, connections", "orders/s", "p50 ms", "p99 ms", "orders per flush"],
        [
            [
                f"{name}, {clients}", spread([run.rate for run in each]),
                milliseconds(median(run.p50_us for run in each)), milliseconds(median(run.p99_us for run in each)),
                number(median(run.per_flush for run in each), 1),
            ]
            for (name, clients), each in sorted(runs.items(), key=lambda item: (item[0][1], item[0][0]))
        ],
        [
            {"contestant": name, "connections": clients, **vars(run)}
            for (name, clients), each in runs.items()
            for run in each
        ],
        "fsync, synchronous_commit and full_page_writes are on. pgbench: the same three inserts, one transaction an "
        "order, on tables with the same indexes; and as one statement, which is the least that this can cost. fastapi: "
        "the same three rows by SQLAlchemy; its workers are stopped, so that nothing is placed there either.",
    )


def goals(runs):
    middle = lambda name, clients, what: median(getattr(run, what) for run in runs[name, clients])  # noqa: E731
    peer_rate, peer_p99 = middle("pgbench", 64, "rate"), middle("pgbench", 64, "p99_us")
    peer_p50 = middle("pgbench", 1, "p50_us")
    for name, where in (("ours, the API alone", "asked itself"), ("ours", "through the gateway")):
        rate, p99, p50 = middle(name, 64, "rate"), middle(name, 64, "p99_us"), middle(name, 1, "p50_us")
        yield Goal(
            f"durable orders/s of the intake {where}, 64 connections, against pgbench with one transaction an order",
            "≥ 3 ×, p99 no worse",
            f"{rate / peer_rate:.2f} ×; p99 {p99 / peer_p99:.2f} ×",
            rate >= 3 * peer_rate and p99 <= peer_p99,
        )
        yield Goal(
            f"p50 of an order {where}, 1 connection, against pgbench with one client",
            "≤ 1.3 ×",
            f"{p50 / peer_p50:.2f} × ({p50 / 1000:.2f} and {peer_p50 / 1000:.2f} ms)",
            p50 <= 1.3 * peer_p50,
        )


def end_to_end(bench, database, services):
    """Orders that are placed as they come, by an exchange that answers at once."""
    if not exchange(bench.system, failure_rate=0, latency_ms=0):
        return
    waiting = "select count(*) from outbox where destination = 'exchange'"
    wait_until(lambda: database.ask(waiting) == "0", 120, "the orders of before were not placed")
    rows, results = [], {}
    for name, table in (("ours", "orders"), ("fastapi", "peer_orders")):
        if name not in services:
            continue
        say(f"  {name}, placed as they come")
        placed = f"select count(*) from {table} where status <> 'pending'"
        before, start = int(database.ask(placed)), time.monotonic()
        sample = wrk(services[name], 64, max(10, bench.options.seconds), script=SCRIPT)
        if name == "ours":
            wait_until(lambda: database.ask(waiting) == "0", 120, "the orders were not placed")
        rate = (int(database.ask(placed)) - before) / (time.monotonic() - start)
        results[name] = {"taken": sample.rate, "placed": rate}
        rows.append(
            [name, number(sample.rate), number(rate), milliseconds(sample.p50_us), milliseconds(sample.p99_us)]
        )
    bench.show(
        "Orders, placed as they come by an exchange that answers at once, 64 connections",
        ["contestant", "taken/s", "placed/s", "p50 ms", "p99 ms"],
        rows,
        results,
        "Ours: until the last is placed. fastapi: what its workers have placed when the last is taken.",
    )


def wait_until(condition, patience, what):
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(what)
        time.sleep(0.2)
