"""The relay: how fast orders are placed, what an outage does, and what an old snapshot does."""

import json
import subprocess
import threading
import time
from dataclasses import dataclass
from statistics import median

from .load import wrk
from .orders import SCRIPT, Database, exchange, wait_until
from .processes import Failure, fetch, say
from .report import Goal, mebibytes, milliseconds, number

WAITING = "select count(*) from outbox where destination = 'exchange'"
PLACED = "select count(*) from orders where status <> 'pending'"
# Orders that wait, stored behind the back of the services.
FILL = """
select count(*) from generate_series(1, {batches}) as batch
cross join lateral submit_orders(
    array(select gen_random_uuid() from generate_series(1, 500) where batch > 0),
    array_fill(now(), array[500]), array_fill('limit'::text, array[500]), array_fill('buy'::text, array[500]),
    array_fill('DE000A0Q4RZ3'::text, array[500]), array_fill(150.00::numeric, array[500]),
    array_fill(10::bigint, array[500]), array_fill(null::timestamptz, array[500]),
    array_fill(null::text, array[500]), array_fill(null::text, array[500])
)
"""
OUTBOX_BYTES = """
select sum(pg_total_relation_size(oid)) from pg_class
where relkind = 'r' and relname ~ '^outbox(_attempts)?(_[0-3])?$'
"""
IN_FLIGHT = 'tickloop_outbox_in_flight{destination="exchange"}'
CLAIM_SECONDS = 'tickloop_outbox_claim_duration_seconds_sum{destination="exchange"}'
CLAIM_COUNT = 'tickloop_outbox_claim_duration_seconds_count{destination="exchange"}'


class Placing:
    """One system, with the exchange doing as it is told."""

    def __init__(self, bench):
        self.bench = bench
        folder = bench.folder / "placing"
        folder.mkdir(exist_ok=True)
        self.database = Database(bench.system, folder)
        self.contestant = bench.contestants["ours"]
        self.worker = bench.system.tree("worker")
        groups = json.loads((bench.system.data / "run/targets.json").read_text())
        self.metrics_url = next(
            f"http://{group['targets'][0]}/metrics" for group in groups if group["labels"]["job"] == "worker"
        )

    def behave(self, **behaviour):
        calm = {
            "failure_rate": 0, "latency_ms": 0, "hang_rate": 0, "reset_rate": 0, "lost_answer_rate": 0,
            "garbled_rate": 0, "fills": False,
        }  # fmt: skip
        if not exchange(self.bench.system, **(calm | behaviour)):
            raise Failure("there is no simulated exchange")

    def count(self, query):
        return int(self.database.ask(query))

    def metrics(self):
        lines = fetch(self.metrics_url)[1].decode().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))

    def figure(self, name):
        return float(self.metrics().get(name, 0))

    def drain(self, patience=180):
        wait_until(lambda: self.count(WAITING) == 0, patience, "the orders were not placed")

    def fill(self, orders):
        self.database.ask(FILL.format(batches=orders // 500))


def relay(bench):
    """Orders that wait, placed by one worker."""
    placing = Placing(bench)
    placing.behave()
    placing.drain()
    rows, results = [], {}
    for name, latency, orders in (("answers at once", 0, 40_000), ("takes 0.5 s", 500, 10_000)):
        say(f"  an exchange that {name}")
        placing.behave(failure_rate=1)
        placing.fill(orders)
        idle = placing.worker.memory()["anonymous"]
        most, memory = 0, idle
        used, start = placing.worker.cpu_seconds(), time.monotonic()
        placing.behave(latency_ms=latency)
        while placing.count(WAITING):
            most = max(most, placing.figure(IN_FLIGHT))
            memory = max(memory, placing.worker.memory()["anonymous"])
            if time.monotonic() - start > 180:
                raise Failure("the orders were not placed")
            time.sleep(0.1)
        seconds = time.monotonic() - start
        cpu = (placing.worker.cpu_seconds() - used) / orders * 1e6
        results[name] = {"rate": orders / seconds, "in flight": most, "memory": memory, "idle": idle, "cpu_us": cpu}
        rows.append([name, number(orders), number(orders / seconds), number(most), mebibytes(idle), mebibytes(memory)])
    bench.show(
        "Orders that wait, placed by one worker",
        ["the exchange", "orders", "placed/s", "most in flight", "worker MiB before", "and at most"],
        rows,
        results,
        "From the moment at which the exchange works again, with what its breaker and its ramp take. Memory is what no "
        "file backs.",
    )
    at_once, slow = results["answers at once"], results["takes 0.5 s"]
    yield Goal("placements/s by one worker", "≥ 3,000", number(at_once["rate"]), at_once["rate"] >= 3000)
    yield Goal(
        "in flight at once in one worker, against 0.5 s",
        "≥ 1,000, memory bounded",
        f"{number(slow['in flight'])}; {mebibytes(slow['memory'])} MiB",
        slow["in flight"] >= 1000,
    )


def outage(bench):
    """The exchange is dead for a minute: for half of it it cuts connections, for the other it does not answer."""
    placing = Placing(bench)
    quick = bench.options.quick
    half = 5 if quick else 30
    placing.behave(latency_ms=500)
    placing.drain()
    connections = 8
    say("  the exchange works")
    before = wrk(placing.contestant, connections, half, script=SCRIPT)
    first = placing.count("select coalesce(max(position), 0) from order_events")
    say("  the exchange is dead")
    placing.behave(reset_rate=1)
    cut = wrk(placing.contestant, connections, half, script=SCRIPT)
    placing.behave(hang_rate=1)
    hung = wrk(placing.contestant, connections, half, script=SCRIPT)
    events = placing.count(
        "select max(count) from (select count(*) from order_events as e where position > "
        f"{first} and type in ('PlacementFailed', 'PlacementUnknown') group by order_id) as each"
    )
    waiting = placing.count(WAITING)
    oldest = placing.database.ask(
        f"select key from outbox where destination = 'exchange' order by id offset {min(2000, waiting) - 1} limit 1"
    )
    start = time.monotonic()
    placing.behave(latency_ms=500)
    oldest_waiting = f"{WAITING} and id <= (select coalesce(max(id), 0) from outbox where key = '{oldest}')"
    wait_until(lambda: placing.count(oldest_waiting) == 0, 120, "the orders were not placed")
    seconds = time.monotonic() - start
    # More came in a minute than an exchange that takes 0.5 s can place in a few.
    placing.behave()
    placing.drain()
    errors = before.error_count + cut.error_count + hung.error_count
    p99 = max(cut.p99_us, hung.p99_us)
    bench.show(
        f"The exchange dead for {2 * half} s, {connections} connections that place orders",
        ["the exchange", "201s/s", "p50 ms", "p99 ms", "other answers"],
        [
            [name, number(run.rate), milliseconds(run.p50_us), milliseconds(run.p99_us), number(run.error_count)]
            for name, run in (("takes 0.5 s", before), ("cuts connections", cut), ("never answers", hung))
        ],
        {"p99_us": [before.p99_us, cut.p99_us, hung.p99_us], "events": events, "seconds": seconds, "waiting": waiting},
        f"{number(waiting)} orders waited. At most {events} failures are recorded of one order. The oldest 2,000 were "
        f"placed {number(seconds, 1)} s after the exchange was back and took 0.5 s. From then on it answered at once, "
        f"and all of them were placed after {number(time.monotonic() - start, 1)} s.",
    )
    yield Goal(
        "POST /orders while the exchange is dead",
        "all 201, p99 ≤ 1.2 ×",
        f"{number(errors)} others, {p99 / before.p99_us:.2f} ×",
        errors == 0 and p99 <= 1.2 * before.p99_us,
    )
    # The 1st, 2nd, 5th, 10th, 20th attempt, and more than that cannot be made in a minute.
    yield Goal("failures recorded of one order in an outage of a minute", "≤ 6", number(events), events <= 6)
    yield Goal("2,000 waiting orders placed after an outage", "≤ 30 s", f"{number(seconds, 1)} s", seconds <= 30)


@dataclass
class Window:
    rate: float
    p99_us: float
    claim_ms: float
    outbox: int


def snapshot(bench):
    """A REPEATABLE READ snapshot held open while orders are taken and placed."""
    placing = Placing(bench)
    seconds = 2 if bench.options.quick else 20
    placing.behave()
    placing.drain()
    # Until everything has the size that it has in operation.
    for _ in range(3):
        window(placing, seconds)
    say("  without a snapshot")
    before = [window(placing, seconds) for _ in range(3)]
    holder = subprocess.Popen(
        ["psql", "-qAtX", bench.system.database_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        holder.stdin.write("begin isolation level repeatable read;\nselect count(*) from orders;\n")
        holder.stdin.flush()
        holder.stdout.readline()
        say("  with one")
        during = [window(placing, seconds) for _ in range(15)]
        holder.stdin.write("select count(*) from orders;\nrollback;\n")
        holder.stdin.close()
        if holder.wait(60) != 0:
            raise Failure("the snapshot was not held to the end")
    finally:
        holder.kill()
    show_snapshot(bench, seconds, before, during)
    old, last = before, during[-3:]
    rate = median(each.rate for each in last) / median(each.rate for each in old)
    claim = median(each.claim_ms for each in last) / median(each.claim_ms for each in old)
    most = max(each.outbox for each in during)
    yield Goal(
        "a snapshot held for five minutes at full rate: rate, claim time",
        "within 10 %",
        f"{rate:.2f} ×, {claim:.2f} ×",
        rate >= 0.9 and claim <= 1.1,
    )
    yield Goal(
        "size of the outbox meanwhile",
        "bounded",
        f"at most {mebibytes(most)} MiB, {mebibytes(last[-1].outbox)} at the end",
        last[-1].outbox <= 1.5 * max(each.outbox for each in during[:5]),
    )


def show_snapshot(bench, seconds, before, during):
    named = [(f"before, {number + 1}", each) for number, each in enumerate(before)]
    named += [(f"held for {(number + 1) * seconds} s", each) for number, each in enumerate(during)]
    bench.show(
        "A REPEATABLE READ snapshot held open, 64 connections, an exchange that answers at once",
        ["", "taken and placed/s", "p99 ms", "a claim ms", "outbox MiB"],
        [
            [name, number(each.rate), milliseconds(each.p99_us), number(each.claim_ms, 2), mebibytes(each.outbox)]
            for name, each in named
        ],
        [{"name": name, **vars(each)} for name, each in named],
    )


def window(placing, seconds):
    """Orders taken and placed for some seconds; all of them are placed before the next."""
    before = placing.metrics()
    sizes, is_over = [], threading.Event()

    def watch():
        while not is_over.wait(1):
            sizes.append(placing.count(OUTBOX_BYTES))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, placed = time.monotonic(), placing.count(PLACED)
    try:
        sample = wrk(placing.contestant, 64, seconds, script=SCRIPT)
        placing.drain()
    finally:
        is_over.set()
        watcher.join()
    if sample.error_count:
        raise Failure(f"not all orders were taken: {sample.errors}")
    rate = (placing.count(PLACED) - placed) / (time.monotonic() - start)
    after = placing.metrics()
    spent, claims = (float(after[name]) - float(before.get(name, 0)) for name in (CLAIM_SECONDS, CLAIM_COUNT))
    return Window(rate, sample.p99_us, spent / max(1, claims) * 1000, max(sizes or [0]))
