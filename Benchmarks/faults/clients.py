"""Clients that place orders, as impatient ones do, and write down what they were told."""

import asyncio
import json
import random
import time
from collections import Counter
from datetime import datetime, timedelta, timezone

PATIENCE = 15  # seconds for one answer
FAILED = {"message": "Internal server error while placing the order"}


class Connection:
    """A connection that is made anew when it is lost. One request at a time."""

    def __init__(self, host, port):
        self.address = (host, port)
        self.reader = self.writer = None

    async def ask(self, method, path, body=None, key=None, prefer=None):
        """Status, body; raises OSError when nobody knows what became of the request."""
        try:
            return await asyncio.wait_for(self._ask(method, path, body, key, prefer), PATIENCE)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            self.close()
            raise OSError(f"{type(error).__name__} {error}") from error

    async def _ask(self, method, path, body, key, prefer):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(*self.address)
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: chaos"]
        if key:
            lines.append(f"Idempotency-Key: {key}")
        if prefer:
            lines.append(f"Prefer: {prefer}")
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        answer = await self.reader.readexactly(int(fields["content-length"]))
        if fields.get("connection", "").lower() == "close":
            self.close()
        return status, json.loads(answer)

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


class Log:
    """What clients were told: a line of JSON for each answer that is a promise, as `tickloop orders check` reads it."""

    def __init__(self, path):
        self.file = open(path, "w")
        self.counts = Counter()
        self.wrong = []
        self.latencies = []

    def taken(self, order, key):
        self.file.write(json.dumps({"taken": order, "key": key} if key else {"taken": order}) + "\n")

    def ended(self, order):
        self.file.write(json.dumps({"ended": order}) + "\n")

    def close(self):
        self.file.close()


class Client:
    """Places orders one after the other until `end`."""

    def __init__(self, number, seed, address, log):
        self.name = f"{seed}-{number}"
        self.chance = random.Random(f"client {seed} {number}")
        self.connection = Connection(*address)
        self.log = log

    async def run(self, count, interval, end):
        for number in range(count):
            if time.monotonic() > end:
                break
            await self._one(f"{self.name}-{number}", end)
            await asyncio.sleep(self.chance.expovariate(1 / interval))
        self.connection.close()

    async def _one(self, name, end):
        chance = self.chance
        order = {
            "type": chance.choice(["limit", "market"]), "side": chance.choice(["buy", "sell"]),
            "instrument": chance.choice(["DE000A0Q4RZ3", "US0378331005", "US5949181045"]),
            "quantity": chance.randint(1, 1000),
        }
        if order["type"] == "limit":
            order["limit_price"] = chance.randint(1, 100_000) / 100
        key = f"chaos-{name}" if chance.random() < 0.6 else None
        expires, cancels, repeats = chance.random() < 0.05, chance.random() < 0.15, key and chance.random() < 0.3
        if expires:
            moment = datetime.now(timezone.utc) + timedelta(seconds=chance.uniform(0.5, 20))
            order["expires_at"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        taken = await self._place(order, key, end)
        if taken and repeats:
            again = await self._place(order, key, end)
            self.log.counts["repeated"] += again is not None
        if taken and cancels:
            await asyncio.sleep(chance.uniform(0, 0.3))
            await self._cancel(taken)

    async def _place(self, order, key, end):
        """The id, if a 201 came; who has a key asks until he knows, a minute beyond the end."""
        while True:
            start = time.monotonic()
            try:
                status, answer = await self.connection.ask("POST", "/orders", order, key)
            except OSError:
                self.log.counts["no answer"] += 1
            else:
                self.log.counts[f"POST {status}"] += 1
                if status == 201:
                    self.log.latencies.append(time.monotonic() - start)
                    self.log.taken(answer["id"], key)
                    return answer["id"]
                if status == 422 and "expires_at" in order:
                    return None
                if status not in (409, 500, 502, 503, 504) or (status == 500 and answer != FAILED):
                    self.log.wrong.append(f"POST answered {status} {answer}")
                    return None
            if not key or time.monotonic() > end + 60:
                return None
            await asyncio.sleep(self.chance.uniform(0.05, 0.5))

    async def _cancel(self, order):
        try:
            status, answer = await self.connection.ask("DELETE", f"/orders/{order}")
        except OSError:
            return
        self.log.counts[f"DELETE {status}"] += 1
        if status == 200 and answer["id"] == order and answer["status"] in ("cancelled", "expired"):
            self.log.ended(order)
        elif status not in (409, 500, 502, 503, 504):
            self.log.wrong.append(f"DELETE answered {status} {answer}")
