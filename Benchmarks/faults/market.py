"""Jobs, events and averages: a minute in peace, a minute of faults, and then SQL says whether anything is missing."""

import json
import os
import signal
import subprocess
import time
import urllib.request

from comparison.processes import Child, Failure, fetch, free_ports, say

JOBS, SYMBOLS = 10, 10
# Runs that ended, of which each must have stored a price for each symbol; moments that came, by the rows of the jobs.
MOMENTS = """
    select count(*) from polling_jobs
    where runs + missed + skipped + (run_owner is not null)::int
        <> round(extract(epoch from next_run_at - created_at - polling_offset(id, interval_s)) / interval_s)
"""
EFFECTS = """
    select count(*) from (
        select symbol, count(*) as prices from prices where provider is not null group by symbol
    ) as p
    full join symbol_averages as a using (symbol)
    where p.prices is distinct from a.updates or a.moving_average is distinct from (
        select exact_mean(sum(price), count(*)) from (
            select price from prices where symbol = a.symbol order by recorded_at desc, id desc limit 5
        ) as newest
    )
"""
FIGURES = """
    select json_build_object(
        'moments', round(sum(extract(epoch from next_run_at - created_at - polling_offset(id, interval_s)))),
        'runs', sum(runs), 'missed', sum(missed), 'skipped', sum(skipped), 'failures', sum(failures),
        'prices', (select count(*) from prices where provider is not null and symbol ~ '^J[0-9]+S'),
        'raw', (select count(*) from raw_responses where symbol ~ '^J[0-9]+S'),
        'updates', (select coalesce(sum(updates), 0) from symbol_averages where symbol ~ '^J[0-9]+S'),
        'under way', (select count(*) from polling_jobs where run_owner is not null and lease_until > now()),
        'without effect', (select count(*) from price_events_due where renew_at < 'infinity')
    ) from polling_jobs
"""
# The effect of one symbol's events is refused until this is taken away.
POISON = """
    create function refuse_poison() returns trigger language plpgsql as
        $$ begin raise exception 'poison'; end $$;
    create trigger refuse_poison before insert or update on symbol_averages for each row
        when (new.symbol = 'POISON') execute function refuse_poison();
    select from store_quotes(
        '{yfinance}', '{POISON}', '{1.5}', '{USD}', array[now()], array[now()], array['{}'::bytea]
    );
"""
CURE = "drop trigger refuse_poison on symbol_averages; drop function refuse_poison()"


class Market:
    """What the proof knows of the system, and what it does to it."""

    def __init__(self, target):
        self.target = target
        self.wrong = []

    def sql(self, text):
        url = self.target.environment["TICKLOOP_DATABASE_URL"]
        words = ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", url, "-c", text]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"SQL failed: {done.stderr}")
        return done.stdout.strip()

    def redis(self, *words):
        url = self.target.environment["TICKLOOP_REDIS_URL"]
        return subprocess.run(["redis-cli", "-u", url, *words], capture_output=True, text=True).stdout.strip()

    def expect(self, what, holds):
        print(f"{'ok       ' if holds else 'WRONG    '}{what}", flush=True)
        if not holds:
            self.wrong.append(what)

    def poll(self):
        """Makes the jobs."""
        for job in range(JOBS):
            symbols = [f"J{job}S{number}" for number in range(SYMBOLS)]
            body = json.dumps({"symbols": symbols, "interval": 1}).encode()
            url = f"{self.target.environment['TICKLOOP_API_URL']}/prices/poll"
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=10) as answer:
                if answer.status != 202:
                    raise Failure(f"a job is answered with {answer.status}")

    def settle(self):
        """Lets no moment be due any more; the figures when all effects are there."""
        self.sql("update polling_jobs set paused = true")
        figures = self.wait(
            "the end of runs and effects",
            lambda: (found := json.loads(self.sql(FIGURES)))["under way"] == found["without effect"] == 0 and found,
        )
        # Runs of workers that were killed are counted when their job is looked at the next time.
        figures["cut short"] = int(self.sql("select count(*) from polling_jobs where run_owner is not null"))
        return figures

    def wait(self, what, condition, patience=90):
        end = time.monotonic() + patience
        while not (found := condition()):
            if time.monotonic() > end:
                raise Failure(f"there is no {what} after {patience} s; {self.sql(FIGURES)}")
            time.sleep(0.2)
        return found

    def check(self, name, figures):
        print(f"{name}: {', '.join(f'{count} {what}' for what, count in figures.items())}", flush=True)
        self.expect("every moment was run once, or is counted", self.sql(MOMENTS) == "0")
        self.expect("every price has its raw answer", figures["prices"] == figures["raw"])
        self.expect("every price has had its effect once, and every average is right", self.sql(EFFECTS) == "0")

    # Parts

    def peace(self, seconds):
        self.poll()
        time.sleep(seconds)
        figures = self.settle()
        self.check("in peace", figures)
        moments = figures["moments"]
        self.expect(
            f"{JOBS * SYMBOLS} prices a second, without exception",
            moments >= JOBS * (seconds - 1) and figures["runs"] == moments
            and figures["prices"] == figures["updates"] == moments * SYMBOLS
            and figures["missed"] == figures["skipped"] == figures["failures"] == 0,
        )

    def faults(self, seconds):
        # Not as a client lets jobs go on: the moments since then count as missed, and so as moments.
        self.sql("update polling_jobs set paused = false")
        run = self.target.data / "run"
        time.sleep(seconds / 4)
        for what in ("worker", "restart", "flush"):
            say(f"  {what}")
            if what == "worker":
                os.kill(int((run / "worker-1.pid").read_text()), signal.SIGKILL)
            elif what == "restart":
                os.kill(int((run / "redis.pid").read_text()), signal.SIGTERM)
            else:
                self.redis("FLUSHALL")
            time.sleep(seconds / 4)
        figures = self.settle()
        self.check("with a worker killed, Redis restarted and flushed", figures)

    def poison(self):
        self.sql(POISON)
        dead = self.wait("dead letter", lambda: self.redis("XLEN", "price-events-dlq") == "1")
        self.expect("an event that fails three times is a dead letter", dead)
        buried = "select count(*) from price_events_due where renew_at = 'infinity'"
        self.expect("and nobody makes it again", self.sql(buried) == "1")
        self.sql(CURE)
        words = [self.target.program, "events", "replay", "--all"]
        replayed = subprocess.run(words, env=self.target.environment, capture_output=True, text=True)
        average = "select moving_average from symbol_averages where symbol = 'POISON'"
        self.expect(
            "it comes back by replay",
            replayed.returncode == 0 and float(self.wait("average", lambda: self.sql(average))) == 1.5
            and self.redis("XLEN", "price-events-dlq") == "0",
        )

    def limit(self, scope):
        """A second gateway, and six requests that alternate between both."""
        pid = int((self.target.data / "run/gateway-1.pid").read_text())
        with open(f"/proc/{pid}/environ", "rb") as file:
            words = file.read().split(b"\0")
        environment = dict(os.fsdecode(word).split("=", 1) for word in words if b"=" in word)
        (port,) = free_ports(1)
        environment["TICKLOOP_SERVER_LISTEN"] = f"127.0.0.1:{port}"
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            arguments = [os.fsdecode(word) for word in file.read().split(b"\0")[1:-1]]
        other = scope.enter_context(
            Child("gateway-2", [self.target.program, *arguments], self.target.folder / "gateway-2.log", environment)
        )
        other.wait_until_answering(f"http://127.0.0.1:{port}/ready")
        ports = [self.target.gateway[1], port]
        statuses = [
            fetch(f"http://127.0.0.1:{ports[number % 2]}/prices/latest?symbol=AAPL")[0] for number in range(6)
        ]
        self.expect(f"the sixth in a minute, through two gateways, is refused: {statuses}", statuses == [200] * 5 + [429])


def prove(target, scope, seconds):
    """Everything in its order; the exit status."""
    market = Market(target)
    market.limit(scope)
    market.peace(seconds)
    market.faults(seconds)
    market.poison()
    return 1 if market.wrong else 0
