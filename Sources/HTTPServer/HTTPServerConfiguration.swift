public import HTTPWire

/// The bounds of a server: how much of everything it takes, and how long it waits for each thing.
///
/// No client can make the server hold more memory, or wait longer, than these say.
public struct HTTPServerConfiguration: Sendable {
    /// Largest head and body accepted; see ``HTTPLimits``. A handler may collect less than the body limit.
    public var limits = HTTPLimits()

    /// Most connections that are served at a time. For a newcomer beyond it, the one that has waited longest for a
    /// request is closed; where none waits, the newcomer gets a 503 for its first request.
    public var connectionLimit = 12_000

    /// Most connections that have not completed their TLS handshake. For a newcomer beyond it, the oldest of them is
    /// closed: a handshake is what costs a server most, and costs who only begins it nothing.
    public var handshakeLimit = 256

    /// Most connections beyond ``connectionLimit`` that are accepted to be told so. Past these, connections wait in the
    /// kernel's queue.
    public var refusedConnectionLimit = 64

    /// A connection that has waited less for a request is not closed for a newcomer: its request may be on its way.
    public var shortestIdleTime = Duration.milliseconds(100)

    /// Most requests whose answers are being made, over all connections. Those beyond it get a 503. Open-ended answers
    /// do not count once they have begun.
    public var requestLimit = 1024

    /// How long requests should wait for their answers at most. While all of them wait longer, new ones get a 503 as
    /// far as needed to bring that down; but the first 256 never. Zero for no such refusals.
    public var targetWait = Duration.milliseconds(100)

    /// Most requests of one connection that are answered at a time. Reading stops at it.
    public var pipelineLimit = 16

    /// Bytes of a request body kept for a handler that is not reading it. Reading stops at them; they may be exceeded
    /// by one read of 64 KiB.
    public var bodyWindowBytes = 64 * 1024

    /// Bytes of responses kept for a client that does not read. At them, no more requests of its connection are read,
    /// and streaming handlers wait.
    public var outputLimitBytes = 256 * 1024

    /// Memory that may wait for clients over all connections: for them to read, or to send the rest of a request. Past
    /// half of it each connection may keep less output; past all of it, those that hold most are cut.
    public var heldLimitBytes = 32 * 1024 * 1024

    /// Connections that the kernel completes and keeps before they are accepted.
    public var backlog = 1024

    /// Whether other processes may listen on the same TCP port, among which the kernel spreads connections.
    public var isPortShared = false

    /// From the first byte of a request to the end of its head, however slowly it trickles: 408. Also from the
    /// connection's start to the first byte: a plain close.
    public var headTimeout = Duration.seconds(10)

    /// Between two pieces of a body: 408. So long it may keep the server waiting in all, too, and a second longer for
    /// each ``slowestBytesPerSecond`` that came.
    public var bodyTimeout = Duration.seconds(30)

    /// Without a request after the last answer: a plain close.
    public var keepAliveTimeout = Duration.seconds(75)

    /// From a complete request to its answer, or between two pieces of a streamed one, as the last resort behind the
    /// handler's own deadline: 500, or a cut.
    public var answerTimeout = Duration.seconds(120)

    /// Without progress of a response, because the client does not read: the connection is cut. So long it may keep the
    /// server waiting in all, too, and a second longer for each ``slowestBytesPerSecond`` that it took.
    public var writeTimeout = Duration.seconds(30)

    /// The slowest client that is put up with, on average. Without such a bound, one byte just before each timeout
    /// would hold a connection for weeks.
    public var slowestBytesPerSecond = 256

    /// For how long a client that has finished sending may wait for its answer. It may just have closed its end and
    /// mean to read, as old tools do, or be gone: TCP does not tell.
    public var halfClosedTimeout = Duration.seconds(1)

    /// After the last response on a connection that the server closes: how long what the client still sends is read and
    /// dropped. Closing at once would make the kernel send a reset, which can overtake and destroy the response.
    public var lingerTimeout = Duration.seconds(2)

    /// While draining: how long an idle connection may still send a request before it is closed.
    public var drainIdleTimeout = Duration.milliseconds(500)

    /// The defaults.
    public init() {}

    /// The shortest time that a connection may be told to wait for; see `Patience.alarm(now:)`.
    var shortestTimeout: Duration {
        min(headTimeout, bodyTimeout, keepAliveTimeout, answerTimeout, writeTimeout)
    }
}
