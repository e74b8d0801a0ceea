"""Clients that ask on and on and never read an answer: what it costs the gateway, and what others notice of it."""

import contextlib
import socket
import time

from comparison.processes import Failure, ProcessTree, fetch, say

# Ten years of days, so that an answer is some 160 kB, and as many requests as one client puts on the wire.
QUESTION = "/prices/average?start_date=2016-01-01&end_date=2025-12-31"
PIPELINED = 400
# The smallest window that the kernel gives.
WINDOW = 2048


def hoard(address, count):
    """Connections, each with its requests written as far as the gateway takes them."""
    requests = f"GET {QUESTION} HTTP/1.1\r\nHost: hoard\r\n\r\n".encode() * PIPELINED
    hoarders = []
    for _ in range(count):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        client.connect(address)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.send(requests)
        hoarders.append(client)
    return hoarders


def run(options, target):
    target.seed("--rows", "200000", "--from", "2016-01-01", "--to", "2025-12-31")
    gateway = ProcessTree(int((target.data / "run/gateway-1.pid").read_text()))
    resident = lambda: gateway.memory()["resident"] / 2**20  # noqa: E731
    url = "http://{}:{}".format(*target.gateway)
    status, body = fetch(url + QUESTION)
    if status != 200:
        raise Failure(f"the question is answered with {status}")
    before = resident()
    say(f"{options.connections} clients, {PIPELINED} requests each for {len(body):,} bytes; nobody reads")
    hoarders = hoard(target.gateway, options.connections)
    most, slowest, others = before, 0.0, 0
    end = time.monotonic() + options.minutes * 60
    while time.monotonic() < end:
        start = time.monotonic()
        others += fetch(url + "/prices/average?start_date=2025-01-06&end_date=2025-01-07")[0] == 200
        slowest = max(slowest, time.monotonic() - start)
        most = max(most, resident())
        time.sleep(0.05)
    held = resident()
    for client in hoarders:
        client.close()
    time.sleep(10)
    after = resident()
    print(f"gateway  {before:.1f} MiB before, {most:.1f} at most, {held:.1f} at the end of it, {after:.1f} ten seconds later")
    print(f"others   {others} × 200 meanwhile, the slowest after {slowest * 1000:.0f} ms", flush=True)
    return 0
