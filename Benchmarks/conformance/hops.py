"""Rows 1 to 9: connections, framing, and what belongs to one hop."""

import time

from .checks import check, require
from .wire import CRLF, Ended

SETTLE = 0.15


def closes(how, on_next_request):
    """A script: a connection that has answered once is closed, at once or when the next request has come."""

    def run(connection, request):
        if on_next_request and connection.requests > 1:
            how(connection)
            return False
        connection.read_body(request)
        connection.answer()
        if not on_next_request:
            time.sleep(SETTLE / 3)
            how(connection)
            return False

    return run


def close_cleanly(connection):
    connection.close()


def reset(connection):
    connection.reset()


def twice(lab, method, script, fields=(), body=None):
    """Two requests, the second on what the first one left in the pool."""
    lab.script(script)
    client = lab.client()
    lab.ask("GET", client=client)
    time.sleep(SETTLE)
    return lab.ask(method, fields=fields, body=body, client=client)


for how in (close_cleanly, reset):
    verb = "closed" if how is close_cleanly else "reset"
    for method in ("GET", "POST"):

        @check(1, f"{method} after an idle connection was {verb}")
        def idle(lab, how=how, method=method):
            answer = twice(lab, method, closes(how, False), body=b"ab" if method == "POST" else None)
            require(answer.status == 200, f"{answer.status}")

    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):

        @check(1, f"{method} on a connection that is {verb} as it comes")
        def raced(lab, how=how, method=method):
            answer = twice(lab, method, closes(how, True), body=b"ab" if method == "PUT" else None)
            require(answer.status == 200, f"{answer.status}: not sent again on a fresh connection")

    @check(1, f"POST on a connection that is {verb} as it comes is sent once")
    def raced_post(lab, how=how):
        answer = twice(lab, "POST", closes(how, True), body=b"ab")
        posts = [request for request in lab.requests if request.method == b"POST"]
        require(len(posts) < 2, f"sent {len(posts)} times")
        is_fresh = lab.connections[0] is not lab.connections[-1]
        require(answer.status in ((200, 502) if is_fresh else (502,)), f"{answer.status}")


@check(1, "an upstream that never answers is asked a few times, then 502")
def never(lab):
    lab.script(lambda connection, request: False)
    answer = lab.ask()
    require(answer.status == 502, f"{answer.status}")
    require(len(lab.requests) <= 3, f"asked {len(lab.requests)} times")


@check(2, "a GET that offers h2c is an ordinary GET")
def h2c(lab):
    offer = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"]
    answer = lab.ask(fields=offer)
    require(answer.status == 200, f"{answer.status}")
    (request,) = lab.requests
    require(not request.has(b"upgrade") and not request.has(b"http2-settings"), "passed on")


@check(2, "a POST that offers h2c keeps its body")
def h2c_post(lab):
    bodies = []

    def script(connection, request):
        bodies.append(connection.read_body(request))
        connection.answer()

    lab.script(script)
    offer = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"]
    answer = lab.ask("POST", fields=offer, body=b"body")
    require(answer.status == 200, f"{answer.status}")
    require(bodies == [b"body"], f"{bodies}")


WEBSOCKET = [
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]
AGREES = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


@check(3, "nothing passes raw before the upstream has agreed")
def early(lab):
    behind = []

    def script(connection, request):
        if request.target.endswith(b"/second"):
            connection.answer(b"second")
            return
        behind.append(connection.hears_nothing(0.4))
        connection.answer(b"first")

    lab.script(script)
    client = lab.client()
    client.send(lab.head(fields=WEBSOCKET) + lab.head(target="/check/second"))
    first = client.response()
    require(behind == [True], "the next request went up as it stood")
    require(first.status == 200 and first.body == b"first", f"{first.status} {first.body!r}")


@check(3, "after a refusal the connection speaks HTTP as before")
def refused(lab):
    def script(connection, request):
        if request.has(b"upgrade"):
            connection.answer(b"no", "403 Forbidden")
        else:
            connection.answer(b"next")

    lab.script(script)
    client = lab.client()
    require(lab.ask(fields=WEBSOCKET, client=client).status == 403, "the refusal did not come")
    try:
        answer = lab.ask(client=client)
    except Ended:
        answer = lab.ask()
    require(answer.body == b"next", f"{answer.body!r}")


@check(3, "after the 101 bytes pass both ways")
def tunnel(lab):
    def script(connection, request):
        if not request.has(b"upgrade"):
            return connection.answer()
        connection.send(AGREES)
        while True:
            connection.send(connection.take(4))

    lab.script(script)
    client = lab.client()
    client.send(lab.head(fields=WEBSOCKET))
    answer = client.response()
    require(answer.status == 101, f"{answer.status}")
    require("websocket" in answer.text(b"upgrade"), "without Upgrade")
    for word in (b"ping", b"\0\1\2\xff"):
        client.send(word)
        require(client.take(4) == word, "not the same bytes")


@check(3, "a 101 that nobody asked for is no answer")
def unasked(lab):
    def script(connection, request):
        connection.send(AGREES + b"EVIL")
        time.sleep(0.5)
        return False

    lab.script(script)
    answer = lab.ask()
    require(answer.status in (500, 502), f"{answer.status}")


DOUBTFUL = [
    ("Content-Length and Transfer-Encoding", ["Content-Length: 5", "Transfer-Encoding: chunked"], b"0\r\n\r\n"),
    ("Transfer-Encoding twice", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], b"0\r\n\r\n"),
    ("chunked, and then another coding", ["Transfer-Encoding: chunked, identity"], b"0\r\n\r\n"),
    ("another coding, and then chunked", ["Transfer-Encoding: gzip, chunked"], b"0\r\n\r\n"),
    ("a coding that nobody knows", ["Transfer-Encoding: xchunked"], b"0\r\n\r\n"),
    ("chunked behind a vertical tab", [b"Transfer-Encoding: \x0bchunked"], b"0\r\n\r\n"),
    ("two lengths", ["Content-Length: 5", "Content-Length: 6"], b"12345"),
    ("a signed length", ["Content-Length: +5"], b"12345"),
    ("a length in hexadecimal", ["Content-Length: 0x5"], b"12345"),
    ("a space before the colon", ["Content-Length : 5"], b"12345"),
    ("a folded line", ["X-Fold: a\r\n b"], b""),
    ("NUL in a value", [b"X-Nul: a\0b"], b""),
    ("a bare CR in a value", [b"X-Cr: a\rb"], b""),
    ("a second Host", ["Host: other.test"], b""),
]


def require_refused(lab, client):
    answer = client.response()
    require(400 <= answer.status < 600 and answer.status not in (502, 504), f"{answer.status}")
    require(not lab.requests, "passed on")
    require(client.is_closed(), "refused, and the connection left open")


for title, fields, body in DOUBTFUL:

    @check(4, title)
    def doubtful(lab, fields=fields, body=body):
        client = lab.client()
        client.send(lab.head("POST", fields=fields) + body)
        require_refused(lab, client)


@check(4, "no Host")
def hostless(lab):
    client = lab.client()
    client.send(lab.head(host=None))
    require_refused(lab, client)


@check(4, "Transfer-Encoding in HTTP/1.0")
def old(lab):
    client = lab.client()
    client.send(lab.head("POST", version="1.0", fields=["Transfer-Encoding: chunked"]) + b"0\r\n\r\n")
    require_refused(lab, client)


for title, chunk in (("signed", b"+1\r\na\r\n"), ("too large", b"ffffffffffffffff1\r\na\r\n"), ("no number", b"z\r\n")):

    @check(4, f"a chunk size that is {title}")
    def chunk_size(lab, chunk=chunk):
        got = []

        def script(connection, request):
            got.append(connection.read_body(request))
            connection.answer()

        lab.script(script)
        client = lab.client()
        client.send(lab.head("POST", fields=["Transfer-Encoding: chunked"]) + chunk + b"0\r\n\r\n")
        try:
            answer = client.response()
            require(answer.status >= 400, f"{answer.status}")
        except Ended as end:
            require("closed" in str(end) or "reset" in str(end), str(end))
        require(not got, "passed on as a whole request")


OWN = [b"X-Forwarded-For", b"X-Forwarded-Host", b"X-Forwarded-Proto", b"Via"]
for name in OWN:

    @check(5, f"{name.decode()} arrives, though Connection names it")
    def nominated(lab, name=name):
        lab.ask()
        lab.ask(fields=[b"Connection: close, " + name])
        plain, named = lab.requests
        require(plain.has(name), "the proxy says none at all")
        require(named.has(name), "removed")


@check(5, "what Connection names is removed")
def named_field(lab):
    lab.ask(fields=["Connection: X-Hop", "X-Hop: 1", "X-Kept: 1"])
    (request,) = lab.requests
    require(request.has(b"x-kept") and not request.has(b"x-hop"), "passed on")


@check(5, "what Connection names in an answer is removed")
def named_in_answer(lab):
    lab.script(lambda c, r: c.answer(fields=["Connection: X-Back", "X-Back: 1", "X-Kept: 1"]))
    answer = lab.ask()
    require(answer.has(b"x-kept") and not answer.has(b"x-back"), "passed on")


for name, fields, body in (
    ("Content-Length", ["Content-Length: 4"], b"body"),
    ("Transfer-Encoding", ["Transfer-Encoding: chunked"], b"4\r\nbody\r\n0\r\n\r\n"),
    ("Host", ["Content-Length: 4"], b"body"),
):

    @check(6, f"Connection: {name}")
    def framing(lab, name=name, fields=fields, body=body):
        got = []

        def script(connection, request):
            got.append((connection.read_body(request), request.has(b"host")))
            connection.answer()

        lab.script(script)
        client = lab.client()
        client.send(lab.head("POST", fields=[f"Connection: {name}", *fields]) + body)
        answer = client.response()
        if answer.status == 400:
            return
        require(answer.status == 200, f"{answer.status}")
        require(got == [(b"body", True)], f"arrived as {got}")


@check(7, "the client's Connection: close stays behind, and the upstream's connection is kept")
def close(lab):
    for _ in range(3):
        lab.ask(fields=["Connection: close"])
        time.sleep(0.02)
    for request in lab.requests:
        require("close" not in request.text(b"connection").lower(), "passed on")
    numbers = {connection.number for connection in lab.connections}
    require(len(numbers) < 3, "each request had a connection of its own")


for name, value in (("Keep-Alive", "5"), ("Proxy-Connection", "close"), ("TE", "gzip"), ("Proxy-Authorization", "x")):

    @check(7, f"{name} stays behind")
    def hop(lab, name=name, value=value):
        lab.ask(fields=[f"{name}: {value}"])
        (request,) = lab.requests
        require(not request.has(name.encode()), f"{name}: {request.text(name.encode())}")


FORGED = ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP"]
FORGED += ["X_Forwarded_For", "X_Real_IP", "X.Forwarded.For", "X.Real.IP"]
for name in FORGED:

    @check(8, f"{name} of a stranger is dropped")
    def forged(lab, name=name):
        word = "for=6.6.6.6" if name == "Forwarded" else "6.6.6.6"
        answer = lab.ask(fields=[f"{name}: {word}"])
        if answer.status == 400:
            return
        (request,) = lab.requests
        require(not any(b"6.6.6.6" in value for _, value in request.fields), "passed on")


def expecting(lab, length=4):
    client = lab.client()
    client.send(lab.head("PUT", fields=["Expect: 100-continue", f"Content-Length: {length}"]))
    return client


@check(9, "a final answer to an expectation passes, the body is never asked for")
def expectation_failed(lab):
    lab.script(lambda c, r: c.answer(b"no", "413 Content Too Large"))
    client = expecting(lab)
    answer = client.response()
    require(answer.status == 413 and answer.body == b"no", f"{answer.status}")
    require(not answer.interim, "the proxy asked for the body")


@check(9, "the upstream's connection is not used again behind a body that never came")
def expectation_reuse(lab):
    def script(connection, request):
        if request.has(b"expect") or request.method == b"PUT":
            # The body is not awaited: whatever comes next on this connection is taken for it.
            connection.answer(b"no", "401 Unauthorized")
        else:
            connection.answer(b"fresh" if connection.requests == 1 else b"reused")

    lab.script(script)
    client = expecting(lab)
    require(client.response().status == 401, "the refusal did not come")
    client.close()
    time.sleep(0.05)
    answer = lab.ask()
    require(answer.status == 200 and answer.body == b"fresh", f"{answer.status} {answer.body!r}")


@check(9, "an upstream that says nothing gets the body all the same")
def expectation_ignored(lab):
    bodies = []

    def script(connection, request):
        bodies.append(connection.read_body(request))
        connection.answer()

    lab.script(script)
    client = expecting(lab)
    interim = client.through(CRLF + CRLF)
    require(b" 100 " in interim, f"{interim!r}")
    client.send(b"body")
    require(client.response().status == 200 and bodies == [b"body"], f"{bodies}")


@check(9, "the upstream's 100 passes")
def continues(lab):
    def script(connection, request):
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.read_body(request)
        connection.answer()

    lab.script(script)
    client = expecting(lab)
    require(b" 100 " in client.through(CRLF + CRLF), "no 100")
    client.send(b"body")
    require(client.response().status == 200, "no answer")


@check(9, "several interim answers pass")
def hints(lab):
    def script(connection, request):
        for number in (1, 2):
            connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </%d>\r\n\r\n" % number)
        connection.answer()

    lab.script(script)
    answer = lab.ask()
    require(answer.status == 200, f"{answer.status}")
    links = [hint.text(b"link") for hint in answer.interim if hint.status == 103]
    require(links == ["</1>", "</2>"], f"came: {links}")
