"""Every kind of fault that the answers are put to the proof with: what is done, and what a client may see of it."""

import asyncio
import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from comparison.processes import Child, Failure, free_ports

from .plan import signal_all

# What the manual promises for all of them: right again within this many seconds of the fault's end.
SOON = 1.5
# A dead worker's tasks are taken over within its lease.
LEASE = 5.0

SHIFTED_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long shift(void) { const char *text = getenv("CHAOS_CLOCK_SHIFT_S"); return text ? atol(text) : 0; }
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += shift();
    return result;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    int result = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec; now->tv_usec = exact.tv_nsec / 1000;
    return result;
}
time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}
"""


@dataclass
class Kind:
    """A kind of fault. `act` returns when the fault has ended."""

    name: str
    act: object
    # Row of the list of faults that it is the proof of, if any.
    row: str = ""
    # What may be answered instead of the average while it lasts and `SOON` after it.
    allowed: frozenset = frozenset({"503 UNAVAILABLE"})
    # How long what was asked before its end may wait on after it.
    patience: float = SOON
    # Whether tasks that were accepted before its end may be forgotten.
    forgets: bool = False
    # How often it is chosen, against the others.
    weight: int = 1


@dataclass
class System:
    """What the kinds take hold of."""

    target: object
    folder: Path
    chance: object
    scope: contextlib.ExitStack
    clock_library: Path = field(default=None)

    def pid(self, name):
        try:
            return int((self.target.data / f"run/{name}.pid").read_text())
        except (OSError, ValueError):
            return None

    def redis(self, *words):
        return self._run("redis-cli", "-u", self.target.environment["TICKLOOP_REDIS_URL"], *words)

    def sql(self, statement):
        """As the superuser, who has the password of the role."""
        url = self.target.environment["TICKLOOP_DATABASE_URL"].replace("//tickloop:", "//postgres:")
        return self._run("psql", "-qAtX", url, "-c", statement)

    @staticmethod
    def _run(*words):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=20)
        return done.stdout.strip() if done.returncode == 0 else None

    async def do(self, work, *words):
        return await asyncio.to_thread(work, *words)

    async def pause(self, shortest, longest):
        await asyncio.sleep(self.chance.uniform(shortest, longest))

    # Processes

    def signal(self, name, number):
        pid = self.pid(name)
        if pid is not None:
            signal_all([pid], number)
        return pid

    async def until_back(self, name, old_pid):
        """Returns when another process has taken the place, and answers."""
        deadline = asyncio.get_running_loop().time() + 30
        while self.pid(name) in (None, old_pid) or not await self.do(self._answers, name):
            if asyncio.get_running_loop().time() > deadline:
                raise Failure(f"{name} did not come back within 30 s")
            await asyncio.sleep(0.02)

    def _answers(self, name):
        if name == "redis":
            return self.redis("ping") == "PONG"
        if name == "postgres":
            return self.sql("select 1") == "1"
        return self.target.answers(name)

    async def end_process(self, name, number):
        pid = self.signal(name, number)
        await self.until_back(name, pid)

    async def freeze(self, name, seconds):
        pid = self.signal(name, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            signal_all([pid] if pid else [], signal.SIGCONT)

    async def another_worker(self, name, changes, shortest, longest):
        """A third worker on the same queue, in other surroundings, for a while."""
        pid = self.pid("worker-1")
        environment = dict(
            os.fsdecode(word).split("=", 1)
            for word in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if b"=" in word
        )
        (port,) = free_ports(1)
        environment |= {"TICKLOOP_SERVER_LISTEN": f"127.0.0.1:{port}"} | changes
        arguments = [os.fsdecode(word) for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]]
        child = Child(name, [self.target.program, *arguments[1:]], self.folder / f"{name}.log", environment)
        try:
            await self.pause(shortest, longest)
        finally:
            await self.do(child.stop)

    def shifted_clock(self, seconds):
        if self.clock_library is None:
            source = self.folder / "clock.c"
            source.write_text(SHIFTED_CLOCK)
            library = self.folder / "clock.so"
            subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
            self.clock_library = library
        return {"LD_PRELOAD": str(self.clock_library), "CHAOS_CLOCK_SHIFT_S": str(seconds)}


def refusing_writes(name, value, back):
    async def act(system):
        await system.do(system.redis, "config", "set", name, value)
        try:
            await system.pause(0.5, 3)
        finally:
            await system.do(system.redis, "config", "set", name, back)

    return act


async def wrong_type(system):
    """The stream's place is taken by something else; what was in it comes back, but the group has no readers then."""
    await system.do(system.redis, "set", "q:{tasks}:delayed", "x", "nx")
    try:
        await system.pause(0.5, 2)
    finally:
        await system.do(system.redis, "eval", "if redis.call('type',KEYS[1]).ok=='string' then redis.call('del',KEYS[1])"
                        " end return 1", "1", "q:{tasks}:delayed")


async def worker_without_database(system):
    # Nobody listens there.
    (port,) = free_ports(1)
    url = f"postgresql://tickloop:x@127.0.0.1:{port}/tickloop"
    await system.another_worker("lost-worker", {"TICKLOOP_DATABASE_URL": url}, 3, 6)


def worker_with_clock(seconds):
    async def act(system):
        await system.another_worker("shifted-worker", system.shifted_clock(seconds), 3, 6)

    return act


async def one_worker_shut_out(system):
    """A worker starts while the database takes no new sessions: the others still have theirs."""
    await system.do(system.sql, "alter role tickloop connection limit 0")
    try:
        system.signal("worker-1", signal.SIGKILL)
        await system.pause(2, 4)
    finally:
        await system.do(system.sql, "alter role tickloop connection limit -1")


async def all_shut_out(system):
    await system.do(system.sql, "alter role tickloop connection limit 0")
    try:
        await system.do(system.sql, CUT_SESSIONS)
        await system.pause(0.3, 3)
    finally:
        await system.do(system.sql, "alter role tickloop connection limit -1")


CUT_SESSIONS = "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'tickloop'"


async def cut_sessions(system):
    await system.do(system.sql, CUT_SESSIONS)


async def smart_shutdown(system):
    """As `kill` does it; without anybody to give them, sessions end only when somebody gives them up."""
    pid = system.signal("postgres", signal.SIGTERM)
    await system.until_back("postgres", pid)


async def smart_shutdown_without_workers(system):
    pid = system.signal("postgres", signal.SIGTERM)
    for name in ("worker-1", "worker-2"):
        system.signal(name, signal.SIGKILL)
    await system.until_back("postgres", pid)


async def lock_of_rollups(system):
    await system.do(system.sql, "begin; lock table daily_prices, daily_symbol_prices; select pg_sleep(2); commit")


def paused_queue(shortest, longest):
    async def act(system):
        await system.do(system.target.queue, "pause")
        try:
            await system.pause(shortest, longest)
        finally:
            await system.do(system.target.queue, "resume")

    return act


def redis_commands(*commands):
    async def act(system):
        for words in commands:
            await system.do(system.redis, *words)

    return act


def ended(name, number):
    async def act(system):
        await system.end_process(name, number)

    return act


def killed_worker(*names):
    async def act(system):
        pids = [(name, system.signal(name, signal.SIGKILL)) for name in names]
        if len(names) > 1:
            await system.until_back(*pids[0])

    return act


def frozen(name, shortest, longest):
    async def act(system):
        await system.freeze(name, system.chance.uniform(shortest, longest))

    return act


async def everything_but_the_gateway(system):
    pids = [(name, system.signal(name, signal.SIGKILL)) for name in ("api-1", "worker-1", "worker-2", "redis", "postgres")]
    for name, pid in pids:
        await system.until_back(name, pid)


NOTHING = frozenset()
AWAY = frozenset({"502 UPSTREAM_ERROR", "503 UNAVAILABLE"})
LATE = frozenset({"504 UPSTREAM_TIMEOUT"})
# The connection ends under the client.
CUT = frozenset({"ConnectionResetError", "ConnectionRefusedError", "IncompleteReadError", "BrokenPipeError"})

KINDS = [
    Kind("Redis has no memory", refusing_writes("maxmemory", "1mb", "0"), "1", weight=2),
    Kind("Redis has no replica", refusing_writes("min-replicas-to-write", "1", "0"), "1", weight=2),
    Kind("a key of the queue has another type", wrong_type, "1"),
    Kind("a third worker without a database", worker_without_database, "2", NOTHING, weight=2),
    Kind("a killed worker that the database refuses", one_worker_shut_out, "2", NOTHING, LEASE + SOON, weight=2),
    Kind("the database refuses everybody", all_shut_out, "2, 3", weight=3),
    Kind("smart shutdown of PostgreSQL", smart_shutdown, "2", weight=2),
    Kind("smart shutdown, both workers killed", smart_shutdown_without_workers, "2", patience=LEASE + SOON, weight=2),
    Kind("the queue is paused", paused_queue(1, 4), "4", NOTHING),
    Kind("the queue is paused beyond the deadline", paused_queue(12, 13), "4", LATE),
    Kind("a third worker, an hour ahead", worker_with_clock(3600), "5", NOTHING, weight=2),
    Kind("a third worker, an hour behind", worker_with_clock(-3600), "5", NOTHING),
    Kind("FLUSHALL", redis_commands(["flushall"]), "flush", patience=2.0, forgets=True, weight=2),
    Kind("DEL of the stream", redis_commands(["del", "q:{tasks}:stream"]), "flush", patience=2.0, forgets=True),
    Kind("XGROUP DESTROY", redis_commands(["xgroup", "destroy", "q:{tasks}:stream", "workers"]), "flush", patience=2.0),
    Kind("SCRIPT FLUSH", redis_commands(["script", "flush"])),
    Kind("CLIENT KILL", redis_commands(["client", "kill", "type", "normal"], ["client", "kill", "type", "pubsub"])),
    Kind("kill -9 redis", ended("redis", signal.SIGKILL)),
    Kind("SIGTERM redis", ended("redis", signal.SIGTERM)),
    Kind("redis stands still", frozen("redis", 0.5, 4)),
    Kind("kill -9 postgres", ended("postgres", signal.SIGKILL)),
    Kind("SIGINT postgres", ended("postgres", signal.SIGINT)),
    Kind("sessions cut", cut_sessions),
    Kind("the rollups are locked", lock_of_rollups, allowed=NOTHING),
    Kind("kill -9 worker", killed_worker("worker-1"), allowed=NOTHING, patience=LEASE + SOON),
    Kind("kill -9 both workers", killed_worker("worker-1", "worker-2"), allowed=NOTHING, patience=LEASE + SOON),
    Kind("a worker stands still", frozen("worker-2", 1, 6), allowed=NOTHING),
    Kind("kill -9 api", ended("api-1", signal.SIGKILL), allowed=AWAY),
    Kind("SIGTERM api", ended("api-1", signal.SIGTERM), allowed=AWAY),
    Kind("api stands still", frozen("api-1", 0.5, 4), allowed=NOTHING),
    Kind("kill -9 gateway", ended("gateway-1", signal.SIGKILL), allowed=CUT),
    Kind("SIGTERM gateway", ended("gateway-1", signal.SIGTERM), allowed=CUT),
    Kind("all but the gateway killed", everything_but_the_gateway, allowed=AWAY, patience=LEASE + SOON),
]
