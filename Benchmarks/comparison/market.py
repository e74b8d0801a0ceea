"""Events of prices: from the commit of a price to its moving average."""

import time

from .load import run_generator
from .orders import wait_until
from .processes import say
from .report import Goal, milliseconds, number

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
