"""What the proxy carried, at scale: a million requests counted exactly, and the summary of a hundred million."""

import json
import re
import time
from statistics import median
from urllib.parse import quote

from .load import run_generator
from .processes import Failure, fetch, say
from .report import Goal, milliseconds, number

REQUESTS = 1_000_000
# Of these many at once, each batch within a second: 10,000 a second at most.
BATCH = 10_000
CONNECTIONS = 64
# How many requests of each second the summary is about, over how many days; and how often it is asked for.
SECOND, DAYS = 40, 30
QUESTIONS = 20
TABLES = "proxied_segments, proxied_pending, proxied_sums, proxied_paths, proxied_spans, proxied_batches"

# So many buckets of durations has a minute of each class, and so much of what was carried each class.
SUMS = """
insert into proxied_sums
select width, start, '/categories/', class, 100 + bucket, requests, requests * 5000, 60000
from (
    select interval '{width} seconds' as width, start, class, bucket,
        ({carried} / {days} / 86400.0 * {width} * share / {buckets})::bigint as requests
    from generate_series(
        date_trunc('day', now()) - interval '{days} days', date_trunc('day', now()) - interval '{width} seconds',
        interval '{width} seconds'
    ) as start,
    (values (2, 0.9), (3, 0.02), (4, 0.06), (5, 0.02)) as classes (class, share),
    generate_series(1, {buckets}) as bucket
) as made
"""
ROWS = """
insert into proxied_segments (second, route, origin, requests, path_numbers, paths, status_codes)
select start + number * interval '1 second', '/categories/', 'http://10.0.0.1:8080', carried.*
from (
    select array_agg((5000::bigint << 20) + (200 << 10) + number * 1000 / {second}), array_agg(number + 1),
        array_agg('/categories/MLA' || number), array[200]
    from generate_series(0, {second} - 1) as number
) as carried,
(values ({days})) as days (start), generate_series(0, 86399) as number
"""
BUCKETS = 25


def psql(system, *commands):
    words = ["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", system.database_url]
    return system.run([*words, *[word for command in commands for word in ("-c", command)]])


def ask(system, path):
    status, body = fetch(f"{system.url}/api/statistics/{path}", 60)
    if status != 200:
        raise Failure(f"/api/statistics/{path} is {status}: {body.decode()}")
    return json.loads(body)


def counted(system, name):
    """A counter of the gateway, the sum of all its labels but `outcome`, by that."""
    text = fetch(f"{system.url}/metrics")[1].decode()
    values = re.findall(rf'^{name}{{[^}}]*outcome="(\w+)"[^}}]*}} (\d+)', text, re.MULTILINE)
    return {outcome: sum(int(value) for other, value in values if other == outcome) for outcome, _ in values}


def statistics(bench):
    system = bench.system
    yield from exact(bench, system)
    yield from fast(bench, system)


def exact(bench, system):
    """Sends requests and nothing else, and compares with what is known of them."""
    total = 100_000 if bench.options.quick else REQUESTS
    since = psql(system, "select to_char(now() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')").strip()
    before = counted(system, "tickloop_proxy_statistics_total")
    begun = time.monotonic()
    for sent in range(0, total, BATCH):
        command = ["ab", "-q", "-k", "-n", BATCH, "-c", CONNECTIONS, f"{system.url}/categories/MLA{sent // BATCH}"]
        output, _ = run_generator([str(word) for word in command])
        found = dict(re.findall(r"^(Complete requests|Failed requests|Non-2xx responses): +(\d+)", output, re.MULTILINE))
        if found != {"Complete requests": str(BATCH), "Failed requests": "0"}:
            raise Failure(f"not all were answered: {found}\n{output}")
        time.sleep(max(0, begun + (sent / BATCH + 1) - time.monotonic()))
    rate = total / (time.monotonic() - begun)
    ended = time.monotonic()
    dropped = counted(system, "tickloop_proxy_statistics_total")["dropped"] - before["dropped"]
    while (summary := ask(system, f"summary?since={since}"))["requests"] < total - dropped:
        if time.monotonic() - ended > 60:
            break
        time.sleep(0.05)
    late = time.monotonic() - ended
    rows = int(psql(system, f"select count(*) from proxied_requests where created_at >= '{since}'"))
    top = ask(system, f"top?since={since}")
    paths = sum(each["requests"] for each in [*top["data"], *([top["other"]] if top["other"] else [])])
    series = sum(each["requests"] for each in ask(system, f"series?since={since}")["data"])
    figures = {"summary": summary["requests"], "rows": rows, "series": series, "2xx": summary["status"]["2xx"]}
    lines = [[name, number(value), number(total - dropped - value)] for name, value in figures.items()]
    bench.show(
        f"Statistics of {total:,} requests, at {rate:,.0f} a second",
        ["what", "requests", "missing"],
        [["sent", number(total), ""], ["dropped", number(dropped), ""], *lines, ["paths, of whole hours", number(paths), ""]],
        {"sent": total, "dropped": dropped, "rate": rate, "seconds until all were known": late, **figures},
        f"All were known {late:.1f} s after the last answer.",
    )
    yield Goal(
        f"statistics of {total:,} requests, and dropped ones, at {rate:,.0f} a second",
        "exactly what was sent, 0",
        f"{figures['summary']:,} in the summary, {rows:,} rows, {dropped} dropped",
        dropped == 0 and all(value == total for value in figures.values()),
    )


def fast(bench, system):
    """Asks for summaries of as many requests as nobody waits for here: their sums are made by SQL."""
    second = 1 if bench.options.quick else SECOND
    carried = second * DAYS * 86_400
    say(f"making {carried:,} requests of {DAYS} days")
    whole = {"carried": carried, "days": DAYS, "buckets": BUCKETS}
    all_days = [f"date_trunc('day', now()) - interval '{days} days'" for days in range(DAYS, 0, -1)]
    psql(
        system,
        f"truncate {TABLES}",
        *[f"select prepare_proxied_day(({day})::date)" for day in all_days],
        *[SUMS.format(width=width, **whole) for width in (60, 3600, 86_400)],
        ROWS.format(second=second, days="), (".join(all_days)),
        "insert into proxied_spans values "
        "('/categories/', 'http://10.0.0.1:8080', '/categories/MLA0', '/categories/MLA9')",
    )
    psql(system, "vacuum analyze proxied_sums", "vacuum analyze proxied_segments")
    sums, rows = psql(system, "select count(*) from proxied_sums", "select count(*) from proxied_requests").split()
    lines, slowest = [], 0
    times = "date_trunc('day', now()) - interval '{} days' + interval '{} seconds'"
    for title, query, has_range in (
        ("all", "", False),
        ("all, by route", "route=/categories/", False),
        ("all, by path_prefix", "path_prefix=/categories/", False),
        ("a range that cuts two minutes", "", True),
        ("a range that cuts two minutes, by path_prefix", "path_prefix=/categories/", True),
    ):
        took = []
        for turn in range(QUESTIONS):
            words = [query] if query else []
            if has_range:
                ends = [times.format(DAYS - 1, 3600.5 + turn * 777.7), times.format(2, 40_000.25 + turn * 555.5)]
                text = psql(system, *[f"select utc_text({end})" for end in ends]).split()
                words += [f"{name}={quote(value)}" for name, value in zip(("since", "until"), text)]
            begun = time.monotonic()
            summary = ask(system, f"summary?{'&'.join(words)}")
            took.append((time.monotonic() - begun) * 1e6)
        # The first one plans and warms up, and counts all the same where it is the slowest.
        lines.append([title, number(summary["requests"]), milliseconds(median(took)), milliseconds(max(took))])
        slowest = max(slowest, median(took))
    bench.show(
        f"Summaries of {carried:,} requests: {int(sums):,} rows of sums, {int(rows):,} of single ones",
        ["summary of", "requests", "median ms", "most ms"],
        lines,
        lines,
        f"Through the gateway, {QUESTIONS} times each. Rows and sums were made by SQL.",
    )
    yield Goal(
        f"summary of {carried:,} requests, the slowest median", "≤ 50 ms", f"{slowest / 1000:.1f} ms", slowest <= 50_000
    )
