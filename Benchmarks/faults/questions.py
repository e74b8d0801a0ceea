"""Clients that ask for averages without a break, and know what the right answer is."""

import asyncio
import json
import random
from bisect import bisect_left, bisect_right
from collections import namedtuple
from decimal import ROUND_HALF_UP, Decimal

from .clients import Connection

# A crowd that keeps a machine of two cores busy and does not fill it: what waits must wait for the fault.
PAUSE = 0.06
# When it was asked and answered, by the clock of the event loop; status and code, or why there is none; if it is right.
Answer = namedtuple("Answer", "asked answered outcome right")


class Truth:
    """The averages of all days, computed here from the prices themselves."""

    def __init__(self, rows):
        """:param rows: symbol, day and price of each price, as text."""
        sums = {}
        for symbol, day, price in rows:
            for key in (symbol, None):
                total, count = sums.get((key, day), (Decimal(0), 0))
                sums[key, day] = (total + Decimal(price), count + 1)
        self.days = sorted({day for _, day in sums})
        self.symbols = sorted({symbol for symbol, _ in sums if symbol})
        self.means = {key: self._mean(*each) for key, each in sums.items()}

    @staticmethod
    def _mean(total, count):
        return float((total / count).quantize(Decimal("0.000001"), ROUND_HALF_UP))

    def question(self, chance):
        first = chance.choice(self.days)
        last = self.days[min(len(self.days) - 1, self.days.index(first) + chance.randrange(30))]
        symbol = chance.choice(self.symbols) if chance.random() < 0.33 else None
        return first, last, symbol

    def answer(self, first, last, symbol):
        days = self.days[bisect_left(self.days, first) : bisect_right(self.days, last)]
        known = [(day, self.means[symbol, day]) for day in days if (symbol, day) in self.means]
        return {"data": [{"date": day, "average_price": mean} for day, mean in known]}


def path(first, last, symbol):
    return f"/prices/average?start_date={first}&end_date={last}" + (f"&symbol={symbol}" if symbol else "")


class Asker:
    """Asks one question after the other, and notes each answer."""

    def __init__(self, number, seed, address, truth, answers):
        self.chance = random.Random(f"asker {seed} {number}")
        self.connection = Connection(*address)
        self.truth = truth
        self.answers = answers

    async def run(self):
        clock = asyncio.get_running_loop().time
        try:
            while True:
                question = self.truth.question(self.chance)
                asked = clock()
                try:
                    status, body = await self.connection.ask("GET", path(*question))
                except OSError as error:
                    outcome, right = str(error).split(" ")[0], False
                else:
                    right = status == 200 and body == self.truth.answer(*question)
                    if status == 200:
                        outcome = "200"
                    elif is_error(body):
                        outcome = f"{status} {body['code']}"
                    else:
                        outcome = f"{status} of another shape: {json.dumps(body)[:200]}"
                self.answers.append(Answer(asked, clock(), outcome, right))
                await asyncio.sleep(self.chance.expovariate(1 / PAUSE))
        finally:
            self.connection.close()


def is_error(body):
    return isinstance(body, dict) and {"code", "message"} <= set(body) <= {"code", "message", "details"}


class Submitter:
    """Hands in tasks to be asked for later, and sees each of them through to its end."""

    # Ends that a task may have.
    ENDS = ("succeeded", "failed", "expired")

    def __init__(self, number, seed, address, truth):
        self.chance = random.Random(f"submitter {seed} {number}")
        self.address = address
        self.connection = Connection(*address)
        self.truth = truth
        # id: when it was accepted, what was asked.
        self.accepted = {}
        # id: its end, or 404; and those whose result is wrong.
        self.ends, self.wrong = {}, []

    async def run(self):
        clock = asyncio.get_running_loop().time
        while True:
            question = self.truth.question(self.chance)
            try:
                status, body = await self.connection.ask("GET", path(*question), prefer="respond-async")
            except OSError:
                pass
            else:
                if status == 202:
                    self.accepted[body["id"]] = (clock(), question)
            await asyncio.sleep(self.chance.expovariate(1 / 0.25))

    async def see_through(self, patience):
        """Asks for every task until it has an end; those that have none after `patience` seconds stay out of `ends`."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + patience
        waiting = dict(self.accepted)
        while waiting and clock() < deadline:
            for id, (_, question) in list(waiting.items()):
                try:
                    status, body = await self.connection.ask("GET", f"/tasks/{id}")
                except OSError:
                    continue
                if status == 404:
                    self.ends[id] = "404"
                elif status == 200 and body["status"] in self.ENDS:
                    self.ends[id] = body["status"]
                    if body["status"] == "succeeded" and body["result"] != self.truth.answer(*question):
                        self.wrong.append(id)
                else:
                    continue
                del waiting[id]
            await asyncio.sleep(0.2)
        self.connection.close()
