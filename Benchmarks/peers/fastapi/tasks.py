"""The Celery application, and its one task."""

import os

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown
from psycopg_pool import ConnectionPool

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


@worker_process_init.connect
def connect(**_):
    """After the fork, because a connection cannot be shared; one is all that a process with one task needs."""
    global pool
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
