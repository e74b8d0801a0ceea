"""Prices: answers about the latest, events from their commit to the moving average, bars, and imports."""

import shutil
import time
from statistics import median
from urllib.parse import urlsplit

from .contestants import Contestant, nginx_text
from .load import ask, per_cpu_second, run_generator
from .orders import wait_until
from .processes import Failure, ProcessTree, fetch, free_ports, say
from .report import Goal, milliseconds, number, spread
from .system import ROOT

# How long each event took: what its effect removes says when it was stored.
PREPARATION = """
drop table if exists bench_lags;
create unlogged table bench_lags (stored_at timestamptz, applied_at timestamptz);
create or replace function bench_note_lags() returns trigger language plpgsql as $$
begin
    insert into bench_lags select stored_at, clock_timestamp() from gone;
    return null;
end $$;
create or replace trigger bench_note_lags after delete on price_events_due referencing old table as gone
    for each statement execute function bench_note_lags();
"""
CLEANUP = "drop trigger bench_note_lags on price_events_due; drop function bench_note_lags(); drop table bench_lags;"
BATCH = 100
STORE = """
\\set base random(1, 900)
select from store_quotes(
    array_fill('yfinance'::text, array[100]),
    (select array_agg('B' || (:base::integer + i)) from generate_series(0, 99) as i),
    (select array_agg(100 + i * 0.01) from generate_series(0, 99) as i),
    array_fill('USD'::text, array[100]), array_fill(now(), array[100]), array_fill(now(), array[100]),
    array_fill('{}'::bytea, array[100])
);
"""
LAGS = """
select count(*), coalesce(extract(epoch from max(applied_at) - min(stored_at)), 0),
    coalesce(percentile_disc(0.5) within group (order by extract(epoch from applied_at - stored_at)), 0),
    coalesce(percentile_disc(0.99) within group (order by extract(epoch from applied_at - stored_at)), 0)
from bench_lags
"""


def events(bench):
    """Prices of 1,000 symbols by commits of 100: at 5,000 a second, then as many as there can be."""
    script = bench.folder / "store.sql"
    script.write_text(STORE)
    ask = lambda text: bench.system.run(["psql", "-qAtX", bench.system.database_url, "-c", text]).strip()  # noqa: E731
    ask(PREPARATION)
    figures = {}
    for name, rate in (("5,000 a second", 5000), ("as many as can be stored", None)):
        say(f"  {name}")
        ask("truncate bench_lags")
        seconds = max(10, 2 * bench.options.seconds)
        words = ["pgbench", "-n", "-M", "prepared", "-c", "2", "-j", "1", "-T", seconds, "-f", script]
        words += ["-R", rate // BATCH] if rate else []
        run_generator([str(word) for word in [*words, bench.system.database_url]])
        start = time.monotonic()
        wait_until(lambda: ask("select count(*) from price_events_due") == "0", 120, "events have no effect")
        count, took, p50, p99 = (float(word) for word in ask(LAGS).split("|"))
        figures[name] = (count / took, p50 * 1e6, p99 * 1e6, time.monotonic() - start)
    ask(CLEANUP)
    bench.show(
        f"Events, from the commit of a price to its moving average, {bench.options.workers} worker",
        ["stored", "effects/s", "lag p50 ms", "lag p99 ms", "s until the last, after storing"],
        [
            [name, number(rate), milliseconds(p50), milliseconds(p99), number(left, 1)]
            for name, (rate, p50, p99, left) in figures.items()
        ],
        figures,
        "A trigger notes each effect, which costs some of them.",
    )
    rate = figures["as many as can be stored"][0]
    yield Goal("effects of price events by one worker", "≥ 5,000/s", f"{number(rate)}/s", rate >= 5000)


def latest(bench):
    """One price, from a gateway that repeats its answers, against nginx with a text of the same size."""
    system = bench.system
    target = "/prices/latest?symbol=AAPL"
    (port,) = free_ports(1)
    # Each answer anew from the API once a second; without the limit of five a minute.
    settings = {"CACHE_LATEST_REPEAT_MS": 1000, "LIMITS_RATE_1_REQUESTS": 0}
    gateway = system.copy("gateway", "gateway-latest", port, **settings)
    roles = {"gateway": ProcessTree(gateway.pid), "api": system.tree("api")} | system.servers()
    side = Contestant("cached", f"http://127.0.0.1:{port}", roles)
    status, body = fetch(f"{side.url}{target}")
    if status != 200:
        raise Failure(f"the latest price is answered {status}: {body[:200]!r}")
    sides = [side, nginx_text(system, "nginx-latest", body.decode())]
    rates = per_cpu_second(sides, target, 64, bench.options.seconds, bench.options.rounds)
    # The same where the gateway asks each time, and the API finds the price in Redis.
    plain = Contestant("from Redis", *plain_gateway(system))
    through = [ask(plain, target, 64, bench.options.seconds) for _ in range(bench.options.rounds)]
    bench.show(
        "Latest price, 64 connections, one symbol",
        ["contestant", "requests per CPU second of the gateway"],
        [[name, spread(each)] for name, each in rates.items()]
        + [[plain.name, spread([run["requests"] / run["cpu"]["gateway"] for run in through])]],
        rates | {"from Redis": through},
        "cached: `cache.latest_repeat_ms = 1000`. from Redis: 0, as it comes; "
        f"{spread([run['requests'] / run['seconds'] for run in through])} answers a second.",
    )
    share = median(rates["cached"]) / median(rates["nginx return 200"])
    what = "cached latest price per CPU second, against nginx return 200"
    yield Goal(what, "≥ 0.9 ×", f"{share:.2f} ×", share >= 0.9)


def plain_gateway(system):
    """The URL and the processes of a gateway that has no limit."""
    (port,) = free_ports(1)
    gateway = system.copy("gateway", "gateway-plain", port, LIMITS_RATE_1_REQUESTS=0)
    roles = {"gateway": ProcessTree(gateway.pid), "api": system.tree("api")} | system.servers()
    return f"http://127.0.0.1:{port}", roles


# Imports

# The last migration before prices had providers, and two databases: with the schema up to there, and with all of it.
LAST_BEFORE = "0006"
DATABASES = {"before": LAST_BEFORE, "now": "9999"}
LINES = """
    copy (
        select 'S' || n % 500 as symbol,
            to_char(timestamp '2015-01-01' + n * interval '30 seconds', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as recorded_at,
            100 + n % 977 * 0.01 as price
        from generate_series(1, {rows}) as n
    ) to stdout csv header
"""


def imports(bench):
    """The same file into both, in turns."""
    system, rows = bench.system, 200_000 if bench.options.quick else bench.options.volume_rows
    file = bench.folder / "prices.csv"
    say(f"  making {rows:,} lines")
    file.write_text(system.run(["psql", "-qX", system.database_url, "-c", LINES.format(rows=rows)]))
    socket = next(each for each in system.data.rglob(".s.PGSQL.*") if each.suffix != ".lock")
    port = socket.name.rpartition(".")[2]
    environment = dict(system.environment)
    seconds = {name: [] for name in DATABASES}
    for round_number in range(1 if bench.options.quick else 2):
        for name, last in sorted(DATABASES.items(), reverse=bool(round_number)):
            database = f"import_{name}"
            say(f"  importing {rows:,} prices, {name}")
            administrate = ["psql", "-qX", "-h", socket.parent, "-p", port, "-U", "postgres", "-d", "postgres", "-c"]
            system.run([*administrate, f"drop database if exists {database}"])
            system.run([*administrate, f"create database {database} owner {urlsplit(system.database_url).username}"])
            system.environment["TICKLOOP_DATABASE_URL"] = (
                urlsplit(system.database_url)._replace(path=f"/{database}").geturl()
            )
            folder = bench.folder / f"sql-{name}"
            if not folder.exists():
                folder.mkdir()
                for each in (ROOT / "sql").glob("*.sql"):
                    if each.name[:4] <= last:
                        shutil.copy(each, folder)
            try:
                system.run([system.program, "migrate", "--sql", folder])
                start = time.monotonic()
                system.run([system.program, "import", "prices", file])
                seconds[name].append(time.monotonic() - start)
            finally:
                system.environment.update(environment)
            system.run([*administrate, f"drop database {database}"])
    file.unlink()
    bench.show(
        f"Imports of {rows:,} prices",
        ["schema", "seconds", "rows/s"],
        [
            [name, spread(each, 1), spread([rows / took for took in each])]
            for name, each in seconds.items()
        ],
        seconds,
        f"before: with the migrations up to {LAST_BEFORE} only, which know nothing of providers.",
    )
    share = median(seconds["before"]) / median(seconds["now"])
    yield Goal(f"import of {rows:,} prices, against the schema before", "≥ 0.95 ×", f"{share:.2f} ×", share >= 0.95)


# Bars and history


def bars(bench):
    """The most bars that may be asked for at once, and pages of a history, of a symbol with very many prices."""
    system = bench.system
    rows = 200_000 if bench.options.quick else bench.options.volume_rows
    say(f"  making {rows:,} prices of one symbol and nine others")
    system.run(["psql", "-qX", system.database_url, "-c", MANY.format(rows=rows)])
    system.run(["psql", "-qX", system.database_url, "-c", "vacuum analyze prices"])
    (port,) = free_ports(1)
    api = system.copy("api", "api-bars", port)
    side = Contestant("API", f"http://127.0.0.1:{port}", {"api": ProcessTree(api.pid)} | system.servers())
    runs = {
        name: [ask(side, target, 1, bench.options.seconds) for _ in range(bench.options.rounds)]
        for name, target in BARS.items()
    }
    bench.show(
        f"Bars and history of one symbol of ten, {rows:,} prices",
        ["question", "answers/s", "p50 ms", "p99 ms"],
        [
            [
                name, spread([run["requests"] / run["seconds"] for run in each]),
                milliseconds(median(run["p50_us"] for run in each)),
                milliseconds(median(run["p99_us"] for run in each)),
            ]
            for name, each in runs.items()
        ],
        runs,
    )
    slowest = max(median(run["p99_us"] for run in each) for each in runs.values())
    yield Goal("bars and pages: p99", "≤ 5,000 ms", f"{milliseconds(slowest)} ms", slowest <= 5_000_000)


MANY = """
    insert into prices (symbol, recorded_at, price)
    select 'BAR' || n % 10, timestamptz '2014-01-01Z' + n * interval '36 seconds', 100 + n % 977 * 0.01
    from generate_series(1, {rows}) as n
"""
BARS = {
    "300 bars of a minute": "/prices/bars?symbol=BAR1&interval=1m&from=2014-03-01&to=2014-03-01T05:00:00Z",
    "5,000 bars of an hour": "/prices/bars?symbol=BAR1&interval=1h&from=2014-01-01&to=2014-07-28",
    "5,000 bars of a day, all its prices": "/prices/bars?symbol=BAR1&interval=1d&from=2013-01-01&to=2026-09-01",
    "a page of 1,000 prices": "/prices/history?symbol=BAR1&limit=1000",
}
