"""Who is compared. All of them answer GET /prices/average from the same PostgreSQL and Redis."""

import json
import os
import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from . import nginx
from .load import wrk
from .processes import Failure, ProcessTree, fetch, free_ports, is_answering
from .system import FIRST_ASKED_DAY, LAST_ASKED_DAY

# The one range of the measurements that ask always the same.
FIXED_RANGE = ("2025-01-06", "2025-01-20")


@dataclass
class Contestant:
    name: str
    url: str
    # By role (gateway, api, worker, redis, postgres): the processes whose CPU time a request costs.
    roles: dict = field(default_factory=dict)
    # How its body is made of ours: "same"; "data" for the list alone; "fixed" for always the same text.
    body: str = "same"

    def check(self, system):
        """Raises unless it answers as our gateway does."""
        generator = random.Random(4)
        first_day, last_day = date.fromisoformat(FIRST_ASKED_DAY), date.fromisoformat(LAST_ASKED_DAY)
        for _ in range(20):
            length = generator.randint(1, 30)
            first = first_day + timedelta(generator.randint(0, (last_day - first_day).days - length + 1))
            last = first + timedelta(length - 1)
            status, body = fetch(system.average_url(first, last, base=self.url))
            expected = json.loads(system.answer(first, last))
            if self.body == "data":
                expected = expected["data"]
            if self.body == "fixed":
                expected = json.loads(system.answer(*FIXED_RANGE))
            try:
                is_right = status == 200 and json.loads(body) == expected
            except ValueError:
                is_right = False
            if not is_right:
                raise Failure(f"{self.name} answers {first} … {last} with {status} {body[:200]!r}")


# Ours


def ours(system):
    roles = {role: system.tree(role) for role in ("gateway", "api", "worker")}
    return Contestant("ours", system.url, roles | system.servers())


def cached(system):
    """A second gateway, with the cache on, in front of the same API."""
    (port,) = free_ports(1)
    gateway = system.copy("gateway", "gateway-cached", port, CACHE_AVERAGE_TTL_MS=3_600_000)
    roles = {"gateway": ProcessTree(gateway.pid), "api": system.tree("api"), "worker": system.tree("worker")}
    contestant = Contestant("cached", f"http://127.0.0.1:{port}", roles | system.servers())
    # What is measured is a cache that is full.
    wrk(contestant, connections=64, seconds=5, seed=8_000)
    return contestant


def against(system, program):
    """Gateway, API and workers of another build, beside ours on the same servers, with a queue of their own."""
    gateway_port, api_port = free_ports(2)
    queue = {"QUEUE_NAME": "against"}
    socket = f"unix:{system.data}/run/against.sock"
    workers = [
        system.copy("worker", f"against-worker-{number}", port, program, **queue)
        for number, port in enumerate(free_ports(len(system.pids("worker"))), 1)
    ]
    api = system.copy("api", "against-api", api_port, program, [socket], **queue)
    gateway = system.copy("gateway", "against-gateway", gateway_port, program, UPSTREAM_ADDRESS=socket)
    roles = {
        "gateway": ProcessTree(gateway.pid),
        "api": ProcessTree(api.pid),
        "worker": ProcessTree(*(worker.pid for worker in workers)),
    }
    return Contestant("against", f"http://127.0.0.1:{gateway_port}", roles | system.servers())


# The floor: the least C that does the same five hops

# Our rollup, read in the way that costs PostgreSQL least when a row is a day and a column its mean.
FLOOR_STATEMENT = (
    "select day, rtrim(substr(average_json, 38), '}') from daily_prices "
    "where day between $1::date and $2::date and average_json is not null order by day"
)


def floor(system, source):
    gateway_port, api_port = free_ports(2)
    ports = "PORT_GW = 9200, PORT_API = 9201"
    text = source.read_text()
    if ports not in text:
        raise Failure(f"{source} has other ports than {ports}")
    folder = system.folder / "floor"
    folder.mkdir()
    (folder / "floor.c").write_text(text.replace(ports, f"PORT_GW = {gateway_port}, PORT_API = {api_port}"))
    program = folder / "floor"
    libraries = ["-lev", "-lhiredis", "-lpq"]
    system.run(["gcc", "-O2", "-w", "-I/usr/include/postgresql", folder / "floor.c", "-o", program, *libraries])
    environment = dict(
        os.environ,
        FLOOR_PG=system.database_url,
        FLOOR_REDIS=system.redis_url.rpartition(":")[2].partition("/")[0],
        FLOOR_SQL=FLOOR_STATEMENT,
        FLOOR_PGCONNS="4",
    )
    roles = {}
    for role, port in (("worker", None), ("api", api_port), ("gateway", gateway_port)):
        child = system.start(f"floor-{role}", [program, role], environment)
        roles[role] = ProcessTree(child.pid)
        if port:
            # In hexadecimal, as /proc/net/tcp has it: the floor takes no half-finished request well.
            child.wait_until(lambda: f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text(), "open port")
    url = f"http://127.0.0.1:{gateway_port}"
    child.wait_until(lambda: is_answering(system.average_url(*FIXED_RANGE, base=url)), "answer")
    return Contestant("floor", url, roles | system.servers(), body="data")


# nginx, with one worker process: what a gateway costs that does the least

RETURNING = """
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{ return 200 '{body}'; }}
    }}
"""
PROXYING = """
    upstream api {{
        server {api};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{proxy_port} backlog=1024;
        location / {{
            proxy_pass http://api;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
"""


def nginx_contestants(system):
    """Two in one process: a fixed text of the same size, and our own API behind proxy_pass."""
    return_port, proxy_port = free_ports(2)
    command = nginx.command(
        system.folder / "nginx",
        RETURNING + PROXYING,
        # The socket of the API is ours alone.
        main="user root;" if os.geteuid() == 0 else "",
        api=system.api_address,
        body=system.answer(*FIXED_RANGE).decode(),
        port=return_port,
        proxy_port=proxy_port,
    )
    child = system.start("nginx", command)
    answering, proxying = (f"http://127.0.0.1:{port}" for port in (return_port, proxy_port))
    child.wait_until_answering(answering)
    gateway = {"gateway": ProcessTree(child.pid)}
    behind = {"api": system.tree("api"), "worker": system.tree("worker")} | system.servers()
    return [
        Contestant("nginx-return", answering, gateway, body="fixed"),
        Contestant("nginx-proxy", proxying, gateway | behind),
    ]


def nginx_text(system, name, body):
    """nginx that answers the same text to everything."""
    (port,) = free_ports(1)
    child = system.start(name, nginx.command(system.folder / name, RETURNING, body=body, port=port))
    child.wait_until_answering(f"http://127.0.0.1:{port}")
    return Contestant("nginx return 200", f"http://127.0.0.1:{port}", {"gateway": ProcessTree(child.pid)})


# The FastAPI + Celery peer

PEER = Path(__file__).resolve().parents[1] / "peers/fastapi"


def peer_folder():
    """Where `peers/fastapi/setup` puts what PyPI has for it."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "tickloop-peers/fastapi"


def fastapi(system):
    programs = peer_folder() / "bin"
    gateway_port, api_port = free_ports(2)
    # A database of its own, so that its keys are not among ours.
    redis = system.redis_url.rpartition("/")[0] + "/9"
    environment = dict(
        os.environ,
        PYTHONPATH=str(PEER),
        PYTHONDONTWRITEBYTECODE="1",
        PEER_API=f"http://127.0.0.1:{api_port}",
        PEER_BROKER=redis,
        PEER_DATABASE=system.database_url,
        PEER_SQLALCHEMY=system.database_url.replace("postgresql://", "postgresql+psycopg://", 1),
        PEER_EXCHANGE=system.environment["TICKLOOP_SIMULATOR_URL"],
    )

    def serve(name, port):
        words = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        arguments = [programs / "uvicorn", f"{name}:app", *words, "--backlog", 1024, "--port", port]
        child = system.start(f"fastapi-{name}", arguments, environment)
        child.wait_until_answering(f"http://127.0.0.1:{port}/health", 60)
        return child

    # Two children for each processor: half of them wait for PostgreSQL.
    words = ["--pool", "prefork", "--concurrency", 2 * os.cpu_count(), "--loglevel", "WARNING"]
    words += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = system.start(
        "fastapi-worker",
        [programs / "celery", "-A", "tasks", "worker", *words],
        dict(environment, PEER_RESULTS=redis, C_FORCE_ROOT="1"),
    )
    roles = {
        "gateway": ProcessTree(serve("gateway", gateway_port).pid),
        "api": ProcessTree(serve("api", api_port).pid),
        "worker": ProcessTree(worker.pid),
    }
    url = f"http://127.0.0.1:{gateway_port}"
    worker.wait_until(lambda: is_answering(system.average_url(*FIXED_RANGE, base=url)), "answer", 60)
    return Contestant("fastapi", url, roles | system.servers())
