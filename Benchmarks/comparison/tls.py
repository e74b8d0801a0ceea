"""The front door: new, kept and idle TLS connections beside nginx, and what a token costs that is remembered."""

import json
import socket
import ssl
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from . import nginx
from .contestants import FIXED_RANGE, Contestant
from .load import run_generator
from .processes import Failure, ProcessTree, free_ports, say
from .report import Goal, number, spread

SCRIPT = Path(__file__).resolve().parents[1] / "connection.lua"
CONNECTIONS = 64
IDLE_CONNECTIONS = 2000
ANSWER = '{"status":"ok"}'

# By the kind of the server's key: what `openssl req` is told. RSA costs the server most, P-256 its clients.
KEYS = {"P-256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "RSA 2048": ["rsa:2048"]}

NGINX = """
    default_type application/json;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache off;
    {servers}
"""
NGINX_SERVER = """
    server {{
        listen 127.0.0.1:{port} ssl backlog=1024;
        ssl_certificate {pair}.pem;
        ssl_certificate_key {pair}.key;
        location / {{ return 200 '{answer}'; }}
    }}
"""


def certificates(system):
    """By kind of key, the path of a certificate and its key, without their suffixes."""
    folder = system.folder / "certificates"
    folder.mkdir()
    pairs = {}
    for number_, (kind, words) in enumerate(KEYS.items()):
        pairs[kind] = folder / str(number_)
        system.run(
            ["openssl", "req", "-x509", "-newkey", *words, "-nodes", "-days", 30, "-subj", "/CN=localhost"]
            + ["-keyout", f"{pairs[kind]}.key", "-out", f"{pairs[kind]}.pem"]
        )
    return pairs


def ours(system, pairs):
    """A gateway for each kind of key, which also speaks plain HTTP, to be waited for."""
    for kind, pair in pairs.items():
        plain, secure = free_ports(2)
        name = f"gateway-tls-{pair.name}"
        settings = {"TLS_CERTIFICATES": f"{pair}.pem", "TLS_KEYS": f"{pair}.key"}
        gateway = system.copy("gateway", name, plain, None, [f"https://127.0.0.1:{secure}"], **settings)
        yield kind, Contestant("ours", f"https://127.0.0.1:{secure}/health", {"server": ProcessTree(gateway.pid)})


def theirs(system, pairs):
    """One nginx with a port for each kind of key."""
    ports = dict(zip(pairs, free_ports(len(pairs))))
    servers = "".join(NGINX_SERVER.format(port=ports[kind], pair=pairs[kind], answer=ANSWER) for kind in pairs)
    child = system.start("nginx-tls", nginx.command(system.folder / "nginx-tls", NGINX, servers=servers))
    for kind, port in ports.items():
        child.wait_until_listening(port)
        yield kind, Contestant("nginx", f"https://127.0.0.1:{port}/health", {"server": ProcessTree(child.pid)})


def ask(contestant, seconds, *fields):
    """Runs wrk on one URL; returns answers a second, and the server's CPU microseconds for each."""
    before = contestant.roles["server"].cpu_seconds()
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", SCRIPT]
    for field in fields:
        words += ["-H", field]
    output, _ = run_generator([str(word) for word in [*words, contestant.url]])
    result = json.loads(output.splitlines()[-1])
    used = contestant.roles["server"].cpu_seconds() - before
    errors = {kind: count for kind, count in result["errors"].items() if count and kind != "read"}
    if result["requests"] == 0 or errors:
        raise Failure(f"{contestant.name} did not answer {contestant.url}: {result}")
    return result["requests"] / result["seconds"], used / result["requests"] * 1e6


def in_turns(bench, sides, fields_of):
    """By name: answers a second and CPU microseconds of each round."""
    runs = {side.name: [] for side in sides}
    for round_number in range(bench.options.rounds):
        turn = round_number % len(sides)
        for side in sides[turn:] + sides[:turn]:
            ask(side, 1, *fields_of(side))
            runs[side.name].append(ask(side, bench.options.seconds, *fields_of(side)))
    return runs


def row(what, name, runs):
    return [what, name, spread([rate for rate, _ in runs]), spread([cpu for _, cpu in runs], 1)]


def shares(runs):
    """Ours by nginx's: answers a second, and answers for the same CPU time."""
    middle = {name: [median(figure) for figure in zip(*each)] for name, each in runs.items()}
    return middle["ours"][0] / middle["nginx"][0], middle["nginx"][1] / middle["ours"][1]


def tls(bench):
    system = bench.system
    pairs = certificates(system)
    sides = {}
    for kind, contestant in [*ours(system, pairs), *theirs(system, pairs)]:
        sides.setdefault(kind, []).append(contestant)
    rows, goals, results = [], [], {}
    for kind, each in sides.items():
        for what, least, fields in (
            (f"new connections, {kind}", 0.9, ["Connection: close"]), (f"kept connections, {kind}", 0.95, []),
        ):  # fmt: skip
            say(f"  {what}")
            runs = in_turns(bench, each, lambda _, fields=fields: fields)
            rows += [row(what, name, runs[name]) for name in runs]
            results[what] = runs
            rate, cpu = shares(runs)
            goals.append(
                Goal(
                    f"requests/s of {what}, against nginx",
                    f"≥ {least} ×",
                    f"{rate:.2f} × (for the same CPU time {cpu:.2f} ×)",
                    rate >= least,
                )
            )
    bench.show(
        f"TLS, {CONNECTIONS} connections, {len(ANSWER)} bytes",
        ["what", "contestant", "requests/s", "CPU µs per request"],
        rows,
        results,
    )
    yield from goals
    yield from idle(bench, sides["P-256"])
    yield from token(bench)


def idle(bench, sides):
    """What a connection costs that has had one answer."""
    rows, cost = [], {}
    for side in sides:
        port = int(side.url.rpartition(":")[2].partition("/")[0])
        with ExitStack() as scope:
            # What the first connections bring is not theirs alone.
            for _ in range(50):
                connect(port).close()
            tree = side.roles["server"]
            time.sleep(1)
            before = tree.memory()["anonymous"]
            for _ in range(IDLE_CONNECTIONS):
                scope.enter_context(connect(port))
            time.sleep(3)
            cost[side.name] = (tree.memory()["anonymous"] - before) / IDLE_CONNECTIONS
        rows.append([side.name, number(cost[side.name] / 1024, 1)])
    bench.show(f"Memory of {IDLE_CONNECTIONS:,} idle TLS connections", ["contestant", "KiB each"], rows, cost)
    kibibytes = cost["ours"] / 1024
    yield Goal("memory of an idle TLS connection", "≤ 24 KiB", f"{kibibytes:.1f} KiB", kibibytes <= 24)


def connect(port):
    """A connection that has had one answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    stream = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10))
    stream.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b""
    while not answer.endswith(ANSWER.encode()):
        piece = stream.recv(4096)
        if not piece:
            raise Failure(f"port {port} answered {answer!r}")
        answer += piece
    return stream


def token(bench):
    """Two gateways that give the same answer from their caches, one of which asks for a token that it remembers."""
    system = bench.system
    keys = system.folder / "keys.json"
    words = ["token", "--make-keys", keys, "--sub", "benchmark", "--scope", "prices:read", "--expires-in", 86400]
    bearer = f"Authorization: Bearer {system.run([system.program, *words]).splitlines()[-1]}"
    sides = []
    for name, settings in (("open", {}), ("with a token", {"AUTH_MODE": "jwt", "AUTH_KEYS": keys})):
        (port,) = free_ports(1)
        gateway = system.copy("gateway", f"gateway-{port}", port, CACHE_AVERAGE_TTL_MS=3_600_000, **settings)
        url = system.average_url(*FIXED_RANGE, base=f"http://127.0.0.1:{port}")
        sides.append(Contestant(name, url, {"server": ProcessTree(gateway.pid)}))
    say("  a remembered token")
    runs = in_turns(bench, sides, lambda _: [bearer])
    bench.show(
        f"A remembered token, {CONNECTIONS} connections, one cached answer",
        ["what", "gateway", "requests/s", "CPU µs per request"],
        [row("cached answer", name, each) for name, each in runs.items()],
        runs,
    )
    added = median(cpu for _, cpu in runs["with a token"]) - median(cpu for _, cpu in runs["open"])
    yield Goal("CPU of a request for a remembered token", "≤ 5 µs", f"{added:.1f} µs", added <= 5)
