"""The internal API: checks a request again, puts a task in, and waits for its result without blocking the loop."""

import asyncio
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

import orjson
import redis.asyncio
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

import tasks
from orders import NewOrder, answer, refuse_order, rows
from question import Question, Refused, refuse

# Celery's Redis back end publishes each result under the key that it stores it in.
PREFIX = b"celery-task-meta-"


class Results:
    """One subscription to the results of all tasks, instead of one for each or a poll."""

    def __init__(self):
        self.waiting: dict[bytes, asyncio.Future] = {}

    async def listen(self, subscription):
        async for message in subscription.listen():
            if message["type"] == "pmessage":
                future = self.waiting.pop(message["channel"][len(PREFIX) :], None)
                if future and not future.done():
                    future.set_result(orjson.loads(message["data"]))

    def expect(self, task_id: str) -> asyncio.Future:
        future = asyncio.get_running_loop().create_future()
        self.waiting[task_id.encode()] = future
        return future

    def forget(self, task_id: str):
        self.waiting.pop(task_id.encode(), None)


@asynccontextmanager
async def lifespan(app):
    app.state.results = Results()
    async with redis.asyncio.from_url(os.environ["PEER_BROKER"]) as client, client.pubsub() as subscription:
        await subscription.psubscribe(PREFIX.decode() + "*")
        listener = asyncio.create_task(app.state.results.listen(subscription))
        yield
        listener.cancel()
        with suppress(asyncio.CancelledError):
            await listener


app = FastAPI(
    lifespan=lifespan, exception_handlers={Refused: refuse, RequestValidationError: refuse_order}
)

# As many as there may be commits at once: more connections than this only took turns on two processors.
engine = create_async_engine(os.environ["PEER_SQLALCHEMY"], pool_size=16, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)

# Celery's way to enqueue blocks for a round trip to Redis. Two threads: more only wait for each other's turn at the
# interpreter, and calling it on the loop was slower.
senders = ThreadPoolExecutor(2)


def enqueue(question: Question, task_id: str):
    tasks.average.apply_async((question.start_date, question.end_date, question.symbol), task_id=task_id)


@app.get("/prices/average")
async def average(request: Request):
    question = Question(request)
    task_id = str(uuid.uuid4())
    result = request.app.state.results.expect(task_id)
    try:
        await asyncio.get_running_loop().run_in_executor(senders, enqueue, question, task_id)
        async with asyncio.timeout(10):
            outcome = await result
    except TimeoutError:
        raise Refused(504, "UPSTREAM_TIMEOUT", "The averages were not computed in time.") from None
    finally:
        request.app.state.results.forget(task_id)
    if outcome["status"] != "SUCCESS":
        raise Refused(500, "INTERNAL_ERROR", "The averages could not be computed.")
    return Response(outcome["result"], media_type="application/json")


@app.post("/orders")
async def submit(new: NewOrder):
    order, event, message = rows(new)
    async with sessions() as session, session.begin():
        session.add_all([order, event, message])
    # What is lost here, the outbox still has.
    await asyncio.get_running_loop().run_in_executor(senders, tasks.place.delay, message.id, message.payload)
    return answer(order)


@app.get("/health")
async def health():
    return {"status": "ok"}
