"""Rows 10 to 16: bodies, answers, targets, what a cache must not share, and what else passes."""

import time

from .checks import check, require, together
from .wire import CRLF, Ended

MEBIBYTE = 1024 * 1024


def announce(lab, length):
    client = lab.client()
    client.send(lab.head("PUT", fields=[f"Content-Length: {length}"]))
    return client


def push(client, length):
    """Sends zeros until all are sent, or the other side takes no more."""
    block = b"\0" * 65536
    try:
        for _ in range(length // len(block)):
            client.send(block)
    except Ended:
        pass


@check(10, "the answer of an upstream that closes while the client still sends is delivered whole")
def early_close(lab):
    def script(connection, request):
        connection.take(100_000)
        connection.answer(b"too much", "413 Content Too Large", ["Connection: close"])
        return False

    lab.script(script)
    client = announce(lab, 1024 * MEBIBYTE)
    push(client, 4 * MEBIBYTE)
    answer = client.response()
    require(answer.status == 413 and answer.body == b"too much", f"{answer.status} {answer.body!r}")


@check(10, "the answer of an upstream that reads no further is delivered whole")
def early_answer(lab):
    def script(connection, request):
        connection.take(100_000)
        connection.answer(b"too much", "401 Unauthorized")
        time.sleep(2)
        return False

    lab.script(script)
    client = announce(lab, 1024 * MEBIBYTE)
    client.socket.settimeout(1)
    push(client, 16 * MEBIBYTE)
    client.socket.settimeout(5)
    answer = client.response()
    require(answer.status == 401 and answer.body == b"too much", f"{answer.status} {answer.body!r}")


@check(10, "an answer and the rest of a small body cross, and the next request is served")
def crossing(lab):
    def script(connection, request):
        if request.method == b"GET":
            return connection.answer(b"next")
        connection.answer(b"early", "403 Forbidden")
        connection.read_body(request)

    lab.script(script)
    client = announce(lab, 20_000)
    client.send(b"a" * 10_000)
    answer = client.response()
    require(answer.status == 403 and answer.body == b"early", f"{answer.status}")
    try:
        client.send(b"a" * 10_000)
        answer = lab.ask(client=client)
    except Ended:
        answer = lab.ask()
    require(answer.body == b"next", f"{answer.status} {answer.body!r}")


CUTS = [
    ("sized", b"Content-Length: 100\r\n\r\nhalf"),
    ("chunked", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
    ("in the middle of a chunk", b"Transfer-Encoding: chunked\r\n\r\nff\r\nhalf"),
    ("before the end of its trailers", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX-A: 1\r\n"),
]
for title, text in CUTS:
    for how in ("close", "reset"):

        @check(11, f"an answer, {title}, that ends with a {how} is cut without an end")
        def cut(lab, text=text, how=how):
            def script(connection, request):
                connection.send(b"HTTP/1.1 200 OK\r\n" + text)
                time.sleep(0.1)
                getattr(connection, how)()
                return False

            lab.script(script)
            answer = lab.ask()
            require(not answer.is_whole or answer.status == 502, "the part was given for the whole")


@check(11, "a chunk that is none cuts the answer")
def garbage(lab):
    def script(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        time.sleep(0.1)
        connection.send(b"zz\r\nEVIL\r\n0\r\n\r\n")

    lab.script(script)
    answer = lab.ask()
    require(not answer.is_whole or answer.status == 502, "the part was given for the whole")
    require(b"EVIL" not in answer.body, "what is no chunk was passed on")


@check(11, "what came before a cut is passed on")
def started(lab):
    def script(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100_000)
        time.sleep(0.3)
        return False

    lab.script(script)
    answer = lab.ask()
    require(not answer.is_whole, "the part was given for the whole")
    require(len(answer.body) == 100_000, f"{len(answer.body)} of 100000 bytes came")


@check(11, "an answer that is ended by the close is whole")
def until_close(lab):
    def script(connection, request):
        connection.answer(b"x" * 100_000, length=False)
        return False

    lab.script(script)
    answer = lab.ask()
    require(answer.is_whole and len(answer.body) == 100_000, f"{len(answer.body)} of 100000 bytes came")


@check(11, "a head that is no HTTP is 502")
def nonsense(lab):
    def script(connection, request):
        connection.send(b"220 mail.test ESMTP\r\n\r\n")
        return False

    lab.script(script)
    answer = lab.ask()
    require(answer.status == 502, f"{answer.status}")


BODILESS = [
    ("HEAD", "200 OK", "Content-Length: 5"),
    ("HEAD", "200 OK", "Transfer-Encoding: chunked"),
    ("GET", "304 Not Modified", "Content-Length: 5"),
    ("GET", "304 Not Modified", "Transfer-Encoding: chunked"),
    ("GET", "204 No Content", "Content-Length: 5"),
    ("GET", "204 No Content", "Transfer-Encoding: chunked"),
]
for method, status, framing in BODILESS:

    @check(12, f"{method} {status[:3]} with {framing}")
    def bodiless(lab, method=method, status=status, framing=framing):
        lab.script(lambda c, r: c.answer(b"", status, [framing, 'ETag: "a"'], length=False))
        client = lab.client()
        begun = time.monotonic()
        answer = lab.ask(method, client=client)
        require(answer.status == int(status[:3]), f"{answer.status}")
        require(time.monotonic() - begun < 2, "a body was awaited")
        if status[:3] != "200":
            require(not answer.has(b"transfer-encoding"), "with Transfer-Encoding")
        if status[:3] == "204":
            require(not answer.has(b"content-length"), "with Content-Length")
        elif "Length" in framing:
            require(answer.text(b"content-length") == "5", f"Content-Length: {answer.text(b'content-length')!r}")


EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
for method, status, framing in [*BODILESS[::2], ("GET", "200 OK", "Content-Length: 0")]:

    @check(12, f"bytes behind {method} {status[:3]} are never the next answer")
    def stray(lab, method=method, status=status, framing=framing):
        def script(connection, request):
            if request.target.endswith(b"/next"):
                return connection.answer(b"next")
            connection.send(f"HTTP/1.1 {status}\r\n{framing}\r\n\r\n".encode() + EVIL)

        lab.script(script)
        client = lab.client()
        lab.ask(method, client=client)
        for _ in range(3):
            try:
                answer = lab.ask(target="/check/next", client=client)
            except Ended:
                client = lab.client()
                answer = lab.ask(target="/check/next", client=client)
            require(answer.body == b"next", f"{answer.status} {answer.body!r}")


PLAIN = ["/a%20b", "/%2520", "/%41", "/a;b=c", "/a+b=c&d", "/q?a=%3F&&b", "/q?", "/q?a?b", "/a:b@c", "/%c3%a9", "/~a!$'()*,"]
DOUBLE = ["//x", "/a//b", "/a%2Fb", "/a%2fb", "/a/../b", "/a/./b", "/a/%2e%2e/b", "/a%5Cb", "/a%00b", "/.."]
for target in PLAIN + DOUBLE:

    @check(13, f"target {target}")
    def same_target(lab, target=target):
        answer = lab.ask(target=target)
        if target in DOUBLE and answer.status in (400, 404):
            return
        require(answer.status == 200, f"{answer.status}")
        (request,) = lab.requests
        require(request.target == target.encode(), f"became {request.target.decode('latin-1')}")


ODD = [
    (b"X-Empty", b""), (b"X-oDD-nAME!#$%&'*+.^_`|~", b"1"), (b"X-Latin", b"\xe9\xff"), (b"X-Inner", b"a  b\tc"),
    (b"X-Long", b"v" * 4000), (b"X-Quoted", b'"a,\\"b"; q=1'),
]


@check(13, "odd but legal fields of a request")
def odd_request(lab):
    answer = lab.ask(fields=[name + b": " + value for name, value in ODD])
    require(answer.status == 200, f"{answer.status}")
    (request,) = lab.requests
    for name, value in ODD:
        require(request.values(name) == [value], f"{name.decode()}: {request.values(name)}")


@check(13, "odd but legal fields of an answer")
def odd_answer(lab):
    lab.script(lambda c, r: c.answer(fields=[name + b": " + value for name, value in ODD]))
    answer = lab.ask()
    for name, value in ODD:
        require(answer.values(name) == [value], f"{name.decode()}: {answer.values(name)}")


@check(13, "fields that come twice stay two, in their order")
def twice(lab):
    lab.script(lambda c, r: c.answer(fields=["Set-Cookie: a=1", "Set-Cookie: b=2; Expires=Mon, 01 Jan 2035 00:00:00 GMT"]))
    answer = lab.ask(fields=["X-Two: 1", "X-Two: 2"])
    (request,) = lab.requests
    require(request.text(b"x-two").replace(" ", "") == "1,2", f"{request.values(b'x-two')}")
    require([value[:3] for value in answer.values(b"set-cookie")] == [b"a=1", b"b=2"], "cookies")


BOUND = 64 * MEBIBYTE


@check(14, "an answer that nobody reads is not taken from the upstream")
def slow_client(lab):
    sent = []

    def script(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1024 * MEBIBYTE))
        sent.append(connection.fill(1, 2 * BOUND))
        return False

    lab.script(script)
    client = lab.client()
    client.send(lab.head())
    lab.wait_for(1)
    deadline = time.monotonic() + 20
    while not sent and time.monotonic() < deadline:
        time.sleep(0.05)
    require(sent and sent[0] < BOUND, f"{sent[0] // MEBIBYTE if sent else '?'} MiB were taken")


@check(14, "a body that the upstream does not read is not taken from the client")
def slow_upstream(lab):
    def script(connection, request):
        time.sleep(4)
        return False

    lab.script(script)
    client = announce(lab, 1024 * MEBIBYTE)
    sent = client.fill(1, 2 * BOUND)
    require(sent < BOUND, f"{sent // MEBIBYTE} MiB were taken")


def numbered(lab, fields, seconds=0.0, varies=None):
    """A script whose every answer has a number of its own."""

    def script(connection, request):
        number = len(lab.requests)
        word = request.text(varies) if varies else ""
        time.sleep(seconds)
        connection.answer(f"{number} {word}".encode(), fields=fields)

    lab.script(script)


FRESH = "Cache-Control: max-age=60"
for title, fields in (
    ("private", ["Cache-Control: private, max-age=60"]),
    ("no-store", ["Cache-Control: no-store"]),
    ("a cookie without a word about caches", ["Set-Cookie: a=1"]),
    ("Vary: *", [FRESH, "Vary: *"]),
):

    @check(15, f"{title}: two who ask at once get an answer each, at once")
    def unshared(lab, fields=fields):
        numbered(lab, fields, seconds=0.4)
        begun = time.monotonic()
        answers = together(*[lambda: lab.ask(target=f"/check/{lab.token.decode()}") for _ in range(5)])
        took = time.monotonic() - begun
        require(len({answer.body for answer in answers}) == 5, "an answer was shared")
        require(took < 1.6, f"queued one behind the other: {took:.1f} s")


@check(15, "requests with Authorization share nothing")
def authorized(lab):
    numbered(lab, [FRESH], seconds=0.2, varies=b"authorization")
    ask = lambda word: lambda: lab.ask(fields=[f"Authorization: Basic {word}"])  # noqa: E731
    for word, answer in zip("ab", together(ask("a"), ask("b"))):
        require(answer.body.endswith(b"Basic " + word.encode()), f"{word} got {answer.body!r}")


@check(15, "Vary keeps languages apart")
def varied(lab):
    numbered(lab, [FRESH, "Vary: Accept-Language"], varies=b"accept-language")
    ask = lambda word: lambda: lab.ask(fields=[f"Accept-Language: {word}"])  # noqa: E731
    for round in range(2):
        for word, answer in zip(("de", "fr"), together(ask("de"), ask("fr"))):
            require(answer.body.endswith(word.encode()), f"{word} got {answer.body!r}")


@check(15, "hosts share nothing")
def hosts(lab):
    numbered(lab, [FRESH])
    bodies = {lab.ask(host=host).body for host in ("one.test", "two.test", "one.test:81")}
    require(len(bodies) == 3, "an answer was shared")


@check(15, "an answer that broke off is not kept")
def cut_is_not_kept(lab):
    def script(connection, request):
        if len(lab.requests) > 1:
            return connection.answer(b"whole", fields=[FRESH])
        connection.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 100\r\n\r\nhalf")
        time.sleep(0.1)
        return False

    lab.script(script)
    lab.ask()
    answer = lab.ask()
    require(answer.body == b"whole" and answer.is_whole, f"{answer.body!r}")


@check(15, "a POST is passed on each time")
def posted(lab):
    numbered(lab, [FRESH])
    bodies = {lab.ask("POST", body=b"a").body for _ in range(2)}
    require(len(bodies) == 2, "an answer was shared")


@check(16, "trailers of an answer pass as trailers")
def answer_trailers(lab):
    def script(connection, request):
        connection.send(
            b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n"
        )

    lab.script(script)
    answer = lab.ask(fields=["TE: trailers"])
    require(answer.body == b"body", f"{answer.body!r}")
    require(not answer.has(b"x-sum"), "merged into the head")
    require(lowered(answer.trailers) == [(b"x-sum", b"1")], f"came: {answer.trailers}")


@check(16, "trailers of a request pass as trailers")
def request_trailers(lab):
    trailers = []

    def script(connection, request):
        connection.read_body(request)
        trailers.append((request.trailers, request.has(b"x-sum")))
        connection.answer()

    lab.script(script)
    client = lab.client()
    client.send(
        lab.head("POST", fields=["Trailer: X-Sum", "Transfer-Encoding: chunked"])
        + b"4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n"
    )
    require(client.response().status == 200, "no answer")
    ((fields, is_merged),) = trailers
    require(lowered(fields) == [(b"x-sum", b"1")] and not is_merged, f"came: {fields}")


def lowered(fields):
    return [(name.lower(), value) for name, value in fields]


for method in ("PATCH", "PROPFIND", "TRACK", "M-SEARCH"):

    @check(16, f"the method {method} passes")
    def any_method(lab, method=method):
        answer = lab.ask(method)
        require(answer.status == 200, f"{answer.status}")
        require([request.method for request in lab.requests] == [method.encode()], "as another")


@check(16, "requests in one piece are answered in their order")
def pipelined(lab):
    def script(connection, request):
        time.sleep(0.2 if request.target.endswith(b"1") else 0)
        connection.answer(request.target[-1:])

    lab.script(script)
    client = lab.client()
    client.send(b"".join(lab.head(target=f"/check/{number}") for number in (1, 2, 3)))
    bodies = [client.response().body for _ in range(3)]
    require(bodies == [b"1", b"2", b"3"], f"{bodies}")


@check(16, "a client of HTTP/1.0 gets no chunks")
def chunkless(lab):
    def script(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n")

    lab.script(script)
    answer = lab.ask(version="1.0")
    require(not answer.has(b"transfer-encoding") and answer.body == b"body", f"{answer.body!r}")


@check(16, "redirects and errors pass as they are")
def statuses(lab):
    for status in ("302 Found", "404 Not Found", "500 Internal Server Error", "503 Service Unavailable", "299 Odd"):
        lab.script(lambda c, r: c.answer(b"mine", status, ["Location: /elsewhere"]))
        answer = lab.ask()
        require((answer.status, answer.body) == (int(status[:3]), b"mine"), f"{status} became {answer.status}")


for size in (0, 1, 65_536, 3 * MEBIBYTE):
    for framing in ("sized", "chunked"):

        @check(16, f"a body of {size} bytes, {framing}, comes back the same")
        def echo(lab, size=size, framing=framing):
            body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

            def script(connection, request):
                got = connection.read_body(request)
                if framing == "sized":
                    return connection.answer(got)
                connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(got, 7001))

            lab.script(script)
            client = lab.client(20)
            fields = ["Transfer-Encoding: chunked" if framing == "chunked" else f"Content-Length: {size}"]
            client.send(lab.head("POST", fields=fields) + (chunks(body, 9973) if framing == "chunked" else body))
            answer = client.response()
            require(answer.status == 200 and answer.body == body, f"{answer.status}, {len(answer.body)} bytes")


def chunks(body, size):
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0" + CRLF + CRLF
