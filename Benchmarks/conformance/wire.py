"""A client and an upstream on raw sockets: what goes over the wire is what the check wrote, byte for byte."""

import itertools
import socket
import struct
import threading
from dataclasses import dataclass, field

CRLF = b"\r\n"
# Says which check a request belongs to, whatever its target became.
TOKEN = b"x-check"


class Ended(Exception):
    """The other side closed, reset, or said nothing for too long."""


class Bytes:
    """Reads a socket to a mark, to a count, or to its end."""

    def __init__(self, connection, patience=5):
        self.socket = connection
        self.socket.settimeout(patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Ended(f"sending: {error}") from None

    def receive(self):
        """More bytes into the buffer."""
        try:
            piece = self.socket.recv(65536)
        except OSError as error:
            raise Ended(f"receiving: {error}") from None
        if not piece:
            raise Ended("the other side has closed")
        self.buffer += piece

    def through(self, mark):
        while mark not in self.buffer:
            self.receive()
        taken, _, self.buffer = self.buffer.partition(mark)
        return taken + mark

    def take(self, count):
        while len(self.buffer) < count:
            self.receive()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def hears_nothing(self, seconds):
        """Whether neither a byte nor an end comes for so long."""
        if self.buffer:
            return False
        patience = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            piece = self.socket.recv(65536)
            self.buffer += piece
            return False
        except TimeoutError:
            return True
        except OSError:
            return False
        finally:
            self.socket.settimeout(patience)

    def is_closed(self, seconds=3):
        """Whether the other side ends the connection within so long, saying nothing more."""
        patience = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(65536) == b""
        except TimeoutError:
            return False
        except OSError:
            return True
        finally:
            self.socket.settimeout(patience)

    def fill(self, seconds, most):
        """Sends until nothing was taken for so long; how many bytes that were."""
        self.socket.settimeout(seconds)
        block = b"x" * 65536
        sent = 0
        try:
            while sent < most:
                sent += self.socket.send(block)
        except OSError:
            pass
        return sent

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes so that the other side gets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


@dataclass
class Message:
    """A request or a response, as it came."""

    line: bytes
    fields: list
    body: bytes = b""
    trailers: list = field(default_factory=list)
    # Whether the body came to the end that its framing says.
    is_whole: bool = True
    interim: list = field(default_factory=list)

    @property
    def status(self):
        return int(self.line.split()[1])

    @property
    def method(self):
        return self.line.split(b" ")[0]

    @property
    def target(self):
        return self.line.split(b" ")[1]

    def values(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def has(self, name):
        return bool(self.values(name))

    def text(self, name):
        return b", ".join(self.values(name)).decode("latin-1")


def parse(head):
    lines = head.split(CRLF)
    return Message(lines[0], parse_fields(lines[1:]))


def parse_fields(lines):
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon:
            fields.append((name, value.strip(b" \t")))
    return fields


def read_chunks(stream, message):
    while size := int(stream.through(CRLF).split(b";")[0], 16):
        message.body += stream.take(size)
        if stream.take(2) != CRLF:
            raise Ended("a chunk that does not end")
    tail = b""
    while (line := stream.through(CRLF)) != CRLF:
        tail += line
    message.trailers = parse_fields(tail.split(CRLF))


class Client(Bytes):
    """One connection to the proxy."""

    def __init__(self, address, patience=5):
        super().__init__(socket.create_connection(address, timeout=patience), patience)

    def response(self, method="GET"):
        """The next response. One that breaks off has what came of it."""
        interim = []
        while True:
            message = parse(self.through(CRLF + CRLF))
            if not 100 <= message.status < 200 or message.status == 101:
                break
            interim.append(message)
        message.interim = interim
        if method == "HEAD" or message.status in (101, 204, 304):
            return message
        try:
            self.read_body(message)
        except (Ended, ValueError):
            message.is_whole = False
        return message

    def read_body(self, message):
        length = message.values(b"content-length")
        if b"chunked" in b",".join(message.values(b"transfer-encoding")).lower():
            read_chunks(self, message)
        elif length:
            # By pieces, so that what came before a cut is known.
            while (missing := int(length[0]) - len(message.body)) > 0:
                if not self.buffer:
                    self.receive()
                message.body += self.take(min(missing, len(self.buffer)))
        else:
            try:
                while True:
                    self.receive()
            except Ended as end:
                message.body, self.buffer = self.buffer, b""
                if "closed" not in str(end):
                    raise


class Connection(Bytes):
    """One connection from the proxy, at the upstream."""

    numbers = itertools.count(1)

    def __init__(self, connection):
        super().__init__(connection, 90)
        self.number = next(self.numbers)
        self.requests = 0

    def read_body(self, request):
        if b"chunked" in b",".join(request.values(b"transfer-encoding")).lower():
            read_chunks(self, request)
        elif request.has(b"content-length"):
            request.body = self.take(int(request.values(b"content-length")[0]))
        return request.body

    def answer(self, body=b"ok", status="200 OK", fields=(), length=True):
        lines = [f"HTTP/1.1 {status}".encode()]
        lines += [line if isinstance(line, bytes) else line.encode() for line in fields]
        if length:
            lines.append(b"Content-Length: %d" % len(body))
        self.send(CRLF.join(lines) + CRLF + CRLF + body)


class Upstream:
    """Listens for the proxy. Each check says what its own requests are answered with."""

    def __init__(self, port):
        self.scripts = {}
        # Everything whose head came, by its token; requests without one under b"".
        self.seen = {}
        self.lock = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=256)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(Connection(connection),), daemon=True).start()

    def _serve(self, connection):
        try:
            while True:
                request = parse(connection.through(CRLF + CRLF))
                connection.requests += 1
                token = (request.values(TOKEN) or [b""])[0]
                with self.lock:
                    self.seen.setdefault(token, []).append((connection, request))
                    self.lock.notify_all()
                script = self.scripts.get(token, ordinary)
                if script(connection, request) is False:
                    break
        except (Ended, ValueError, OSError):
            pass
        connection.close()

    def requests(self, token):
        """Connection and head of each request of a check."""
        with self.lock:
            return list(self.seen.get(token, []))

    def wait_for(self, token, count, seconds=5):
        """Whether so many requests of a check came in time."""
        with self.lock:
            return self.lock.wait_for(lambda: len(self.seen.get(token, [])) >= count, seconds)


def ordinary(connection, request):
    connection.read_body(request)
    connection.answer()
