"""The list of checks, and what each is given to work with."""

import itertools
import threading
from dataclasses import dataclass
from typing import Callable

from .wire import Client, Ended

ROWS = {
    1: "pooled connection closed by the upstream",
    2: "Upgrade: h2c",
    3: "Upgrade: websocket",
    4: "framing in doubt",
    5: "Connection names our own fields",
    6: "Connection names framing fields",
    7: "fields of the client's hop",
    8: "forged forwarding fields",
    9: "Expect and interim answers",
    10: "answer before the end of the request",
    11: "answer that ends early",
    12: "answers without a body",
    13: "targets and fields, byte for byte",
    14: "slow readers",
    15: "what must not be shared",
    16: "trailers, methods, order",
}


class Fault(Exception):
    """The proxy did not do what it should; the text says what it did."""


@dataclass
class Check:
    row: int
    title: str
    run: Callable


ALL = []


def check(row, title):
    """Registers a check; it raises `Fault` or `Ended` where the proxy is wrong."""

    def register(run):
        ALL.append(Check(row, title, run))
        return run

    return register


def require(condition, text):
    if not condition:
        raise Fault(text)


class Lab:
    """A client's and an upstream's side of one check."""

    numbers = itertools.count(1)

    def __init__(self, address, upstream):
        self.address = address
        self.upstream = upstream
        self.token = b"t%d" % next(self.numbers)
        self.clients = []

    def script(self, run):
        """What the upstream does with the requests of this check: `run(connection, request)`; False ends it."""
        self.upstream.scripts[self.token] = run

    def client(self, patience=5):
        client = Client(self.address, patience)
        self.clients.append(client)
        return client

    def close(self):
        for client in self.clients:
            client.close()
        self.upstream.scripts.pop(self.token, None)

    def head(self, method="GET", target=None, fields=(), version="1.1", host="proxy.test"):
        """A request's head, with the token that leads it to this check's script."""
        target = target or f"/check/{self.token.decode()}"
        lines = [f"{method} {target} HTTP/{version}".encode()]
        if host is not None:
            lines.append(f"Host: {host}".encode())
        lines.append(b"X-Check: " + self.token)
        lines += [line if isinstance(line, bytes) else line.encode("latin-1") for line in fields]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def ask(self, method="GET", target=None, fields=(), body=None, client=None, **rest):
        """Sends a request and gives its answer."""
        client = client or self.client()
        fields = list(fields)
        if body is not None:
            fields.append(f"Content-Length: {len(body)}")
        client.send(self.head(method, target, fields, **rest) + (body or b""))
        return client.response(method)

    @property
    def requests(self):
        """Heads that the upstream got."""
        return [request for _, request in self.upstream.requests(self.token)]

    @property
    def connections(self):
        """The connection of each of them."""
        return [connection for connection, _ in self.upstream.requests(self.token)]

    def wait_for(self, count, seconds=5):
        require(self.upstream.wait_for(self.token, count, seconds), f"the upstream did not get {count} requests")


def together(*calls):
    """Runs the calls at the same time; gives their results, or raises what the first of them raised."""
    results = [None] * len(calls)

    def run(index, call):
        try:
            results[index] = call()
        except Exception as error:  # noqa: BLE001
            results[index] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def run_all(address, upstream, rows=None, report=None):
    """Runs the checks one after the other; gives (check, what was wrong or None)."""
    outcomes = []
    for each in ALL:
        if rows and each.row not in rows:
            continue
        lab = Lab(address, upstream)
        try:
            each.run(lab)
            fault = None
        except (Fault, Ended, OSError, ValueError, IndexError) as error:
            fault = str(error) or type(error).__name__
        finally:
            lab.close()
        outcomes.append((each, fault))
        if report:
            report(each, fault)
    return outcomes
