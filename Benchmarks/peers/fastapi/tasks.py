"""The Celery application, and its tasks."""

import http.client
import os
from datetime import UTC, datetime
from urllib.parse import urlsplit

import orjson
from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown
from psycopg_pool import ConnectionPool
from sqlalchemy import create_engine, delete, update
from sqlalchemy.orm import Session

from orders import Event, Message, Order

app = Celery("tasks", broker=os.environ["PEER_BROKER"], backend=os.environ.get("PEER_RESULTS"))
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    result_expires=60,
    # Tasks of a millisecond: a child that always has the next ones at hand waits less.
    worker_prefetch_multiplier=16,
    worker_disable_rate_limits=True,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)

# As Tickloop asks, for one range.
OVER_ALL_SYMBOLS = """
    select '{"data":[' || coalesce(string_agg(average_json, ','), '') || ']}'
    from (select average_json from daily_prices where day between %s::date and %s::date order by day) as days
"""
OF_ONE_SYMBOL = """
    select '{"data":[' || coalesce(string_agg(average_json, ','), '') || ']}'
    from (
        select average_json from daily_symbol_prices
        where symbol = %s and day between %s::date and %s::date order by day
    ) as days
"""

pool: ConnectionPool
engine = None
exchange = None


@worker_process_init.connect
def connect(**_):
    """After the fork, because a connection cannot be shared; one is all that a process with one task needs."""
    global pool, engine, exchange
    engine = create_engine(os.environ["PEER_SQLALCHEMY"], pool_size=1, max_overflow=0)
    exchange = http.client.HTTPConnection(urlsplit(os.environ["PEER_EXCHANGE"]).netloc, timeout=5)
    pool = ConnectionPool(
        os.environ["PEER_DATABASE"], min_size=1, max_size=1, kwargs={"autocommit": True, "prepare_threshold": 0}
    )


@worker_process_shutdown.connect
def disconnect(**_):
    pool.close()


@app.task(name="prices.average")
def average(start_date, end_date, symbol=None):
    """The whole body of the response, as PostgreSQL writes it."""
    with pool.connection() as connection:
        if symbol is None:
            row = connection.execute(OVER_ALL_SYMBOLS, (start_date, end_date)).fetchone()
        else:
            row = connection.execute(OF_ONE_SYMBOL, (symbol, start_date, end_date)).fetchone()
    return row[0]


@app.task(name="orders.place", bind=True, max_retries=None, ignore_result=True)
def place(self, message_id, payload):
    """Asks the exchange, and stores what it says; what fails is tried again later."""
    number = payload["order_id"]
    try:
        headers = {"Content-Type": "application/json", "Idempotency-Key": number}
        exchange.request("POST", "/exchange/orders", orjson.dumps(payload), headers)
        response = exchange.getresponse()
        response.read()
        if response.status not in (200, 201):
            raise OSError(f"the exchange says {response.status}")
    except (OSError, http.client.HTTPException) as error:
        exchange.close()
        raise self.retry(exc=error, countdown=min(60, 0.1 * 2**self.request.retries)) from error
    with Session(engine) as session, session.begin():
        session.execute(update(Order).where(Order.id == number).values(status="placed", version=2))
        session.add(Event(order_id=number, version=2, type="OrderPlaced", data={}, created_at=datetime.now(UTC)))
        session.execute(delete(Message).where(Message.id == message_id))
