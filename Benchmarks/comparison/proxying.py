"""The proxy beside nginx, in front of the same upstream: passing on, cached answers, a large file, and another protocol."""

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from . import nginx
from .contestants import Contestant
from .load import Sample, run_generator
from .processes import Failure, ProcessTree, fetch, free_ports, is_answering
from .report import Goal, milliseconds, number, spread

HERE = Path(__file__).resolve().parents[1]
SCRIPT = HERE / "report.lua"
# By name, the bytes of an answer.
SIZES = {"100 B": 100, "1 KiB": 1024, "64 KiB": 65536}
CONNECTIONS = 64
LARGE = 1 << 30
# Frames as a client sends them: masked, with 64 bytes. Each connection has one under way.
FRAME = b"\x82\xc0" + bytes(4) + b"m" * 64
SOCKETS = 32

# Answers from memory: what is measured is who passes on.
UPSTREAM = """
    sendfile on;
    open_file_cache max=100;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {folder}/files;
        location /cached/ {{ alias {folder}/files/; add_header Cache-Control max-age=3600; }}
    }}
"""

PROXY = """
    client_max_body_size 0;
    map $http_upgrade $hop {{ default ""; websocket upgrade; }}
    proxy_cache_path {folder}/cache keys_zone=all:16m use_temp_path=off;
    upstream all {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_max_temp_file_size 0;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{ proxy_pass http://all; }}
        location /cached/ {{ proxy_pass http://all; proxy_cache all; }}
        location /socket/ {{
            proxy_pass http://127.0.0.1:{sockets};
            proxy_set_header Connection $hop;
            proxy_set_header Upgrade $http_upgrade;
        }}
    }}
"""

OURS = """
[[proxy]]
prefix = "/"
upstreams = ["http://127.0.0.1:{upstream}"]
[[proxy]]
prefix = "/cached/"
upstreams = ["http://127.0.0.1:{upstream}"]
cache = true
[[proxy]]
prefix = "/socket/"
upstreams = ["http://127.0.0.1:{sockets}"]
"""


def start_nginx(bench, name, http, **values):
    (port,) = free_ports(1)
    child = bench.system.start(name, nginx.command(bench.folder / name, http, port=port, **values))
    url = f"http://127.0.0.1:{port}"
    child.wait_until(lambda: is_answering(f"{url}/100B"), "answer")
    return url, port, child


def start(bench):
    """The upstream, and both proxies in front of it."""
    folder = bench.folder / "upstream"
    (folder / "files").mkdir(parents=True)
    for path in (bench.folder, folder, folder / "files"):
        path.chmod(0o755)
    for name, size in SIZES.items():
        (folder / "files" / name.replace(" ", "")).write_bytes(b"x" * size)
    with open(folder / "files/large", "wb") as large_file:
        large_file.truncate(LARGE)
    _, upstream, _ = start_nginx(bench, "upstream", UPSTREAM)
    (sockets,) = free_ports(1)
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    child = bench.system.start("sockets", [sys.executable, "-B", "-m", __name__, sockets], environment)
    child.wait_until_listening(sockets)
    url, _, child = start_nginx(bench, "proxy", PROXY, upstream=upstream, sockets=sockets)
    theirs = Contestant("nginx", url, {"gateway": ProcessTree(child.pid)})
    (port,) = free_ports(1)
    # Statistics are on, as always: they go to the queue of the system.
    config = bench.folder / "gateway.toml"
    config.write_text(OURS.format(upstream=upstream, sockets=sockets))
    gateway = bench.system.copy("gateway", "gateway-proxy", port, config=config)
    ours = Contestant("ours", f"http://127.0.0.1:{port}", {"gateway": ProcessTree(gateway.pid)})
    for each in (ours, theirs):
        for name, size in SIZES.items():
            for path in ("", "cached/"):
                status, body = fetch(f"{each.url}/{path}{name.replace(' ', '')}")
                if status != 200 or len(body) != size:
                    raise Failure(f"{each.name} answers {name} with {status} and {len(body)} bytes")
    return [ours, theirs]


def sample(contestant, path, seconds):
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT)]
    before = contestant.roles["gateway"].cpu_seconds()
    output, generator = run_generator([*command, f"{contestant.url}/{path}"])
    used = contestant.roles["gateway"].cpu_seconds() - before
    result = json.loads(output.splitlines()[-1])
    del result["bytes"]
    requests = result["requests"]
    if requests == 0:
        raise Failure(f"{contestant.name} answered nothing:\n{output}")
    return Sample(**result, cpu_us={"gateway": used / requests * 1e6}, generator_cpu_us=generator / requests * 1e6)


def in_turns(contestants, rounds):
    """Everybody in each round, who was first being last in the next one."""
    for number in range(rounds):
        turn = number % len(contestants)
        yield from contestants[turn:] + contestants[:turn]


def proxying(bench):
    contestants = start(bench)
    rounds, seconds = bench.options.rounds, bench.options.seconds
    runs, rows = {}, []
    for name in SIZES:
        for prefix in ("", "cached/"):
            for each in in_turns(contestants, rounds):
                path = prefix + name.replace(" ", "")
                sample(each, path, 1)
                runs.setdefault((name, prefix, each.name), []).append(sample(each, path, seconds))
    for (name, prefix, who), samples in runs.items():
        rows.append(
            [
                f"{name}{', cached' if prefix else ''}",
                who,
                spread([run.rate for run in samples]),
                number(median(per_core(run) for run in samples)),
                milliseconds(median(run.p50_us for run in samples)),
                milliseconds(median(run.p99_us for run in samples)),
                sum(run.error_count for run in samples),
            ]
        )
    files, messages = {}, {}
    for each in in_turns(contestants, rounds):
        files.setdefault(each.name, []).append(large(each))
    for each in in_turns(contestants, rounds):
        messages.setdefault(each.name, []).append(echo(each, seconds))
    for name, rates in files.items():
        rows.append(["1 GiB", name, f"{median(rates) / 2**20:,.0f} MiB/s", "", "", "", 0])
    for name, both in messages.items():
        rates, cores = zip(*both)
        rows.append([f"echo on {SOCKETS} WebSockets", name, spread(rates), number(median(cores)), "", "", 0])
    bench.show(
        f"The proxy beside nginx, {CONNECTIONS} connections, one process each",
        ["answer", "by", "requests/s", "per CPU second", "p50 ms", "p99 ms", "errors"],
        rows,
        [[str(cell) for cell in row] for row in rows],
        "The upstream is an nginx, too. Statistics of ours are on. p99 is that of a closed loop at full speed.",
    )
    yield from goals(runs, files, messages)


def large(contestant):
    """Bytes a second of one file."""
    begun = time.monotonic()
    with open(os.devnull, "wb") as nowhere:
        subprocess.run(["curl", "-sf", f"{contestant.url}/large"], check=True, stdout=nowhere, timeout=300)
    return LARGE / (time.monotonic() - begun)


def per_core(run):
    return 1e6 / run.cpu_us["gateway"]


def goals(runs, files, messages):
    def ratio(values):
        return median(values["ours"]) / median(values["nginx"])

    for name in SIZES:
        each = {who: runs[name, "", who] for who in ("ours", "nginx")}
        cores = ratio({who: [per_core(run) for run in samples] for who, samples in each.items()})
        late = ratio({who: [run.p99_us for run in samples] for who, samples in each.items()})
        yield Goal(
            f"proxied answers of {name} per CPU second, against nginx proxy_pass",
            "≥ 1.0 ×, at no worse p99",
            f"{cores:.2f} ×; p99 {late:.2f} ×",
            cores >= 1 and late <= 1,
        )
    each = {who: [per_core(run) for run in runs["1 KiB", "cached/", who]] for who in ("ours", "nginx")}
    rate = median(run.rate for run in runs["1 KiB", "cached/", "ours"])
    yield Goal(
        "cached answers of 1 KiB per CPU second, against nginx proxy_cache; requests/s",
        "≥ 0.95 ×; ≥ 50,000",
        f"{ratio(each):.2f} ×; {rate:,.0f}",
        ratio(each) >= 0.95 and rate >= 50_000,
    )
    yield Goal("bytes/s of 1 GiB, against nginx", "≥ 0.9 ×", f"{ratio(files):.2f} ×", ratio(files) >= 0.9)
    rates = ratio({who: [rate for rate, _ in both] for who, both in messages.items()})
    cores = ratio({who: [cores for _, cores in both] for who, both in messages.items()})
    yield Goal(
        "messages echoed a second, against nginx; the same per CPU second",
        "≥ 0.9 ×; none",
        f"{rates:.2f} ×; {cores:.2f} ×",
        rates >= 0.9,
    )


# Another protocol


UPGRADE = (
    b"GET /socket/ HTTP/1.1\r\nHost: bench.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def echo(contestant, seconds):
    """Messages a second, and those of a CPU second of the proxy: each connection sends again what came back."""
    host, port = contestant.url.removeprefix("http://").split(":")
    waiting = selectors.DefaultSelector()
    for _ in range(SOCKETS):
        connection = socket.create_connection((host, int(port)), timeout=10)
        connection.sendall(UPGRADE)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += connection.recv(4096) or exit_early(contestant)
        if b" 101 " not in answer:
            raise Failure(f"{contestant.name} does not upgrade: {answer[:200]!r}")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        waiting.register(connection, selectors.EVENT_READ)
        connection.sendall(FRAME)
    before = contestant.roles["gateway"].cpu_seconds()
    count, begun = 0, time.monotonic()
    while (took := time.monotonic() - begun) < seconds:
        for key, _ in waiting.select(1):
            if key.fileobj.recv(4096) != FRAME:
                raise Failure(f"{contestant.name} passes on something else")
            key.fileobj.send(FRAME)
            count += 1
    used = contestant.roles["gateway"].cpu_seconds() - before
    for key in list(waiting.get_map().values()):
        key.fileobj.close()
    return count / took, count / max(used, 0.01)


def exit_early(contestant):
    raise Failure(f"{contestant.name} closes instead of upgrading")


def serve_sockets(port):
    """The upstream: says 101, and then sends back whatever comes."""
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    upgraded = set()
    while True:
        for key, _ in waiting.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                waiting.register(connection, selectors.EVENT_READ)
                continue
            connection = key.fileobj
            try:
                data = connection.recv(65536)
                if data:
                    connection.sendall(data if connection in upgraded else UPGRADED)
                    upgraded.add(connection)
                    continue
            except OSError:
                pass
            waiting.unregister(connection)
            upgraded.discard(connection)
            connection.close()


if __name__ == "__main__":
    serve_sockets(int(sys.argv[1]))
