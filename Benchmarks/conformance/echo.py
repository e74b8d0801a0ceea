"""An upstream that sends back what it gets, as it gets it, and clients that compare every byte, while the memory of the
proxy between them is watched."""

import argparse
import contextlib
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from comparison.processes import Failure, ProcessTree, free_ports
from comparison.report import table

from . import contestants
from .checks import Fault, require
from .wire import CRLF, Bytes, Client, Ended, parse, parse_fields

MEBIBYTE = 1024 * 1024
BLOCK = 256 * 1024
# A body is this again and again. Its length is a prime: bytes that come at a wrong place are other ones.
PATTERN = random.Random(1).randbytes(1_000_003)
TWICE = PATTERN + PATTERN
# What the proxy's memory may grow by, whatever passes through it: buffers of kernel and process, some connections.
GROWTH_MAX = 32 * MEBIBYTE
# Slow ones at the same time, and what each takes a second.
SLOW_COUNT = 20
SLOW_BYTES = 1024
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "M-SEARCH", "BREW"]
SIZES = [None, 0, 1, 4095, 65_536, 1_048_577]
ODD_TARGETS = 300


def pieces(size, length=BLOCK):
    """The bytes of a body."""
    for offset in range(0, size, length):
        start = offset % len(PATTERN)
        yield TWICE[start : start + min(length, size - offset)]


class Comparison:
    """What was received, against what was sent."""

    def __init__(self):
        self.count = 0

    def take(self, data):
        view = memoryview(data)
        while view:
            start = self.count % len(PATTERN)
            piece, view = view[:BLOCK], view[BLOCK:]
            require(piece == TWICE[start : start + len(piece)], f"other bytes somewhere from {self.count} on")
            self.count += len(piece)


class Stream(Bytes):
    """Reads a body as it comes, keeping none of it."""

    def some(self, most):
        if not self.buffer:
            self.receive()
        taken, self.buffer = self.buffer[:most], self.buffer[most:]
        return taken

    def body(self, head, take):
        """Gives each piece to `take`; the trailers are the result."""
        if b"chunked" in head.text(b"transfer-encoding").lower().encode():
            while size := int(self.through(CRLF).split(b";")[0], 16):
                while size > 0:
                    piece = self.some(size)
                    size -= len(piece)
                    take(piece)
                require(self.take(2) == CRLF, "a chunk that does not end")
            tail = b""
            while (line := self.through(CRLF)) != CRLF:
                tail += line
            return parse_fields(tail.split(CRLF))
        missing = int((head.values(b"content-length") or [b"0"])[0])
        while missing > 0:
            piece = self.some(missing)
            missing -= len(piece)
            take(piece)
        return []


class EchoUpstream:
    """Sends back each body in its own framing, with its trailers; `/head` answers with the head as it came; `/slow` reads
    slowly for a while; `/bytes/N` answers N bytes; an upgrade sends back whatever comes."""

    def __init__(self, port, slow):
        self.slow = slow
        self.listener = socket.create_server(("127.0.0.1", port), backlog=256)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        stream = Stream(connection, 120)
        with contextlib.suppress(Ended, OSError, ValueError, Fault):
            while True:
                text = stream.through(CRLF + CRLF)
                head = parse(text)
                if head.has(b"upgrade"):
                    return self._tunnel(stream)
                self._answer(stream, head, text)
        connection.close()

    def _answer(self, stream, head, text):
        path = head.target.split(b"?")[0]
        if path.startswith(b"/head"):
            stream.body(head, lambda _: None)
            return stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        if path.startswith(b"/bytes/"):
            size = int(path.rpartition(b"/")[2])
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for piece in pieces(size):
                stream.send(piece)
            return None
        if path == b"/slow":
            crawl(stream, self.slow, lambda _: None, into_buffer=True)
        if not head.has(b"content-length") and not head.has(b"transfer-encoding"):
            return stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnone")
        is_chunked = head.has(b"transfer-encoding")
        framing = b"Trailer: X-Sum\r\nTransfer-Encoding: chunked" if is_chunked else b"Content-Length: " + head.values(b"content-length")[0]
        stream.send(b"HTTP/1.1 200 OK\r\n" + framing + CRLF + CRLF)
        trailers = stream.body(head, lambda piece: stream.send(chunk(piece) if is_chunked else piece))
        if is_chunked:
            stream.send(b"0\r\n" + b"".join(b"%s: %s\r\n" % each for each in trailers) + CRLF)
        return None

    def _tunnel(self, stream):
        stream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while True:
            stream.send(stream.some(BLOCK))


def chunk(piece):
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def crawl(stream, seconds, take, into_buffer=False):
    """Reads a KiB a second for so long. What was read stays in the buffer if it is to be read again."""
    kept = b""
    for _ in range(int(seconds * 10)):
        time.sleep(0.1)
        piece = stream.socket.recv(SLOW_BYTES // 10)
        if not piece:
            raise Ended("the other side has closed")
        kept += piece
        take(piece)
    if into_buffer:
        stream.buffer += kept


class Reader(Client, Stream):
    """A client that keeps nothing."""


def send_body(client, size, is_chunked, trailers=b""):
    for piece in pieces(size):
        client.send(chunk(piece) if is_chunked else piece)
    if is_chunked:
        client.send(b"0\r\n" + trailers + CRLF)


def exchange(client, method, size, is_chunked, path="/echo"):
    """Sends a body, with a trailer if it is chunked, and compares what comes back while it goes. Whether the connection may
    be used again: a proxy may close it when an answer begins before its request has ended."""
    framing = b""
    if size is not None:
        framing = b"Trailer: X-Sum\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n" if is_chunked else b"Content-Length: %d\r\n" % size
    client.send(f"{method} {path} HTTP/1.1\r\nHost: echo.test\r\n".encode() + framing + CRLF)
    trouble = []

    def send():
        try:
            send_body(client, size or 0, is_chunked and size is not None, b"X-Sum: %d\r\n" % (size or 0))
        except Ended as end:
            trouble.append(end)

    sender = threading.Thread(target=send)
    sender.start()
    head = parse(client.through(CRLF + CRLF))
    require(head.status == 200, f"{head.status} to {method} of {size} bytes")
    if size is None:
        require(client.take(4) == b"none", "another answer")
    else:
        comparison = Comparison()
        trailers = client.body(head, comparison.take)
        require(comparison.count == size, f"{comparison.count} bytes came back of {size}")
        if is_chunked:
            wanted = [(b"x-sum", b"%d" % size)]
            require([(name.lower(), value) for name, value in trailers] == wanted, f"trailers {trailers}")
    sender.join()
    require(not trouble, f"the body was not taken: {trouble}")
    return head.text(b"connection").lower() != "close"


def methods(address, _):
    """Every method, sized, chunked and without a body, on kept connections."""
    client = Reader(address, 60)
    count = 0
    for method in METHODS:
        for size in SIZES:
            for is_chunked in (False, True) if size is not None else (False,):
                if not exchange(client, method, size, is_chunked):
                    client = Reader(address, 60)
                count += size or 0
    return count


def odd_heads(address, _):
    """Legal targets and fields of all kinds; the upstream says what it got."""
    chance = random.Random(2)
    client = Reader(address, 30)
    legal = "abcXYZ019-._~!$&'()*+,;=:@/?"
    names = "!#$%&'*+-.^_`|~0123456789abcXYZ"
    values = [bytes([each]) for each in range(0x21, 0x100) if each != 0x7F]
    count = 0
    for _ in range(ODD_TARGETS):
        words = [chance.choice([*legal, f"%{chance.randrange(256):02{chance.choice('xX')}}"]) for _ in range(chance.randrange(60))]
        target = "/head/" + "".join(words)
        fields = [
            (
                b"X-" + "".join(chance.choice(names) for _ in range(chance.randrange(1, 30))).encode(),
                b"v" + b"".join(chance.choice([*values, b" ", b"\t"]) for _ in range(chance.randrange(60))) + b"v",
            )
            for _ in range(4)
        ]
        lines = b"".join(b"%s: %s\r\n" % field for field in fields)
        client.send(f"GET {target} HTTP/1.1\r\nHost: echo.test\r\n".encode() + lines + CRLF)
        head = parse(client.through(CRLF + CRLF))
        got = client.take(int(head.values(b"content-length")[0]))
        if head.status == 400:
            # Two readings of a path that lead to different places may be refused, and nothing else.
            require(any(mark in target.lower() for mark in ("..", "/.", "%2e", "%2f", "%5c", "%00", "//")), f"400 to {target}")
            continue
        require(head.status == 200, f"{head.status} to {target}")
        seen = parse(got)
        require(seen.target == target.encode(), f"{target} became {seen.target}")
        # With the space inside them, byte for byte.
        for name, value in fields:
            require(CRLF + name + b": " + value + CRLF in got, f"{name}: {value} became {seen.values(name)}")
        count += len(got)
    return count


def large(is_chunked):
    def run(address, options):
        exchange(Reader(address, 120), "PUT", options.mib * MEBIBYTE, is_chunked)
        return 2 * options.mib * MEBIBYTE

    run.__doc__ = f"One body, {'chunked, with trailers' if is_chunked else 'sized'}, both ways at once."
    return run


def several(run):
    """Runs `run(number)` for as many slow ones at once as there are."""
    trouble = []

    def guarded(number):
        try:
            run(number)
        except Exception as error:  # noqa: BLE001
            trouble.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(SLOW_COUNT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if trouble:
        raise trouble[0]


def slow_clients(address, options):
    """Clients that take 1 KiB a second of a large answer, and the first of them then all of it."""
    size = options.mib * MEBIBYTE

    def run(number):
        client = Reader(address, 120)
        client.send(b"GET /bytes/%d HTTP/1.1\r\nHost: echo.test\r\n\r\n" % size)
        head = parse(client.through(CRLF + CRLF))
        comparison = Comparison()
        comparison.take(client.buffer)
        client.buffer = b""
        crawl(client, options.slow, comparison.take)
        if number == 0:
            while comparison.count < size:
                comparison.take(client.some(BLOCK))
            require(head.status == 200, f"{head.status}")
        client.close()

    several(run)
    return size


def slow_upstreams(address, options):
    """Bodies of which the upstream takes 1 KiB a second, and later all."""
    size = min(options.mib, 64) * MEBIBYTE // 8
    several(lambda number: exchange(Reader(address, 120), "POST", size, number % 2 == 1, path="/slow"))
    return 2 * size * SLOW_COUNT


def tunnels(address, options):
    """Another protocol after the upstream's 101: bytes both ways at once."""
    size = options.mib * MEBIBYTE // 4
    client = upgraded(address)
    sender = threading.Thread(target=lambda: send_body(client, size, False))
    sender.start()
    comparison = Comparison()
    while comparison.count < size:
        comparison.take(client.some(BLOCK))
    sender.join()
    client.close()
    return 2 * size


def upgraded(address):
    client = Reader(address, 60)
    client.send(b"GET /socket HTTP/1.1\r\nHost: echo.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    head = parse(client.through(CRLF + CRLF))
    require(head.status == 101, f"{head.status}")
    return client


def drain(address, options, child):
    """A tunnel and an exchange under way when the proxy is told to end: the answer is whole, the tunnel is closed."""
    tunnel = upgraded(address)
    tunnel.send(b"ping")
    require(tunnel.take(4) == b"ping", "the tunnel does not answer")
    client = Reader(address, 60)
    size = 8 * MEBIBYTE
    client.send(b"GET /bytes/%d HTTP/1.1\r\nHost: echo.test\r\n\r\n" % size)
    head = parse(client.through(CRLF + CRLF))
    os.kill(child.pid, signal.SIGTERM)
    require(tunnel.is_closed(30), "the tunnel stays open")
    comparison = Comparison()
    client.body(head, comparison.take)
    require(comparison.count == size, f"{comparison.count} bytes of {size}")
    child.process.wait(30)
    require(child.process.returncode == 0, f"ended with {child.process.returncode}")
    return size


SCENARIOS = [
    ("every method and framing", methods), ("odd targets and fields", odd_heads), ("a large body, sized", large(False)),
    ("a large body, chunked, with trailers", large(True)), (f"{SLOW_COUNT} clients at 1 KiB/s", slow_clients),
    (f"{SLOW_COUNT} upstreams at 1 KiB/s", slow_upstreams), ("another protocol", tunnels),
]


class MemoryWatch:
    """The most that a process held while it was watched."""

    def __init__(self, pid):
        self.tree = ProcessTree(pid)
        self.before = self.peak = self.tree.memory()["anonymous"]
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self.is_over.wait(0.02):
            self.peak = max(self.peak, self.tree.memory()["anonymous"])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


def arguments():
    parser = argparse.ArgumentParser(
        prog="Benchmarks/proxyecho",
        description="Starts a gateway before an upstream that sends back what it gets, and compares every byte while its\n"
        "memory is watched. Prints a table; ends with 0 if all is as it was sent and the memory stays flat.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option("--ours", type=Path, metavar="PROGRAM", required=True, help="the tickloop whose gateway is asked")
    option("--mib", type=int, default=64, help="MiB of the large bodies (64)")
    option("--slow", type=float, default=5, metavar="SECONDS", help="for how long slow ones are slow (5)")
    return parser.parse_args()


def run_one(title, run, child, lines, *given):
    """Runs a scenario, and says whether it did what it should."""
    begun = time.monotonic()
    count, fault = 0, None
    with MemoryWatch(child.pid) as memory:
        try:
            count = run(*given)
        except (Fault, Ended, OSError, ValueError) as error:
            fault = str(error) or type(error).__name__
    growth = memory.peak - memory.before
    if not fault and growth > GROWTH_MAX:
        fault = f"memory grew by {growth / MEBIBYTE:.0f} MiB"
    took = time.monotonic() - begun
    lines.append([title, f"{count / MEBIBYTE:,.1f}", f"{took:.1f}", f"{growth / MEBIBYTE:.1f}", fault or "✓"])
    print(f"{title}: {fault or 'as sent'}", flush=True)
    return fault is None


def main():
    options = arguments()
    lines = []
    with contextlib.ExitStack() as scope, tempfile.TemporaryDirectory(prefix="proxyecho-") as folder:
        (port,) = free_ports(1)
        EchoUpstream(port, options.slow)
        command = contestants.ours(options.ours.resolve(), cache=False)
        try:
            address, child = contestants.start(scope, "Tickloop", command, Path(folder) / "ours", port)
        except Failure as failure:
            print(failure, file=sys.stderr)
            return 2
        verdicts = [run_one(title, run, child, lines, address, options) for title, run in SCENARIOS]
        verdicts.append(run_one("the end", drain, child, lines, address, options, child))
    print(table(["what", "MiB", "seconds", "memory grew by MiB", "verdict"], lines))
    return 0 if all(verdicts) else 1
