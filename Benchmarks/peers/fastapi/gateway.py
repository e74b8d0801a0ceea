"""The public gateway: checks a request and passes it on to the internal API over kept connections."""

import os
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from yarl import URL

from orders import NewOrder, refuse_order
from question import Question, Refused, refuse

API = os.environ["PEER_API"]


@asynccontextmanager
async def lifespan(app):
    connector = aiohttp.TCPConnector(limit=256, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as session:
        app.state.session = session
        yield


app = FastAPI(
    lifespan=lifespan, exception_handlers={Refused: refuse, RequestValidationError: refuse_order}
)


@app.get("/prices/average")
async def average(request: Request):
    Question(request)
    url = URL(f"{API}/prices/average?{request.url.query}", encoded=True)
    try:
        async with request.app.state.session.get(url) as answer:
            body = await answer.read()
    except TimeoutError:
        raise Refused(504, "UPSTREAM_TIMEOUT", "The internal API did not answer in time.") from None
    except aiohttp.ClientError:
        raise Refused(502, "UPSTREAM_ERROR", "The internal API could not be reached.") from None
    if answer.status >= 500 and answer.status != 503:
        raise Refused(502, "UPSTREAM_ERROR", "The internal API answered an error.")
    return Response(body, answer.status, media_type="application/json")


@app.post("/orders")
async def submit(new: NewOrder, request: Request):
    body = await request.body()
    headers = {"Content-Type": "application/json"}
    try:
        async with request.app.state.session.post(f"{API}/orders", data=body, headers=headers) as answer:
            body = await answer.read()
    except (TimeoutError, aiohttp.ClientError):
        content = b'{"message":"Internal server error while placing the order"}'
        return Response(content, 500, media_type="application/json")
    location = {"Location": answer.headers["Location"]} if answer.status == 201 else {}
    return Response(body, answer.status, location, "application/json")


@app.get("/health")
async def health():
    return {"status": "ok"}
