public import HTTPWire
public import TLS

/// The limits of an ``HTTPClient``.
public struct HTTPClientConfiguration: Sendable {
    /// Most connections, including those being made: the most requests in flight.
    public var connections = 256
    /// Most requests that wait for a connection; one more is refused with ``HTTPClientError/overloaded``.
    public var waitingRequests = 1024
    /// Most connections kept open without a request.
    public var idleConnections = 64
    /// How long a connection is kept open without a request. Shorter than the upstream's own time (75 s for this
    /// project's server), so that it is rarely the upstream that closes while a request is on its way.
    public var idleTimeout = Duration.seconds(60)
    /// How long a connection is used before it is replaced, so that a changed name is noticed.
    public var connectionAge = Duration.seconds(600)
    /// How long one attempt to connect may take, the lookup of the name included.
    public var connectTimeout = Duration.seconds(1)
    /// How long a request waits while connections are refused, before it fails with
    /// ``HTTPClientError/unreachable(_:)``: the time that a restarting upstream may take without anyone seeing an
    /// error.
    public var connectWindow = Duration.seconds(1)
    /// How long the upstream may take from the request's first byte to the end of the response's head.
    public var responseHeadTimeout = Duration.seconds(10)
    /// How long the head of an opened response waits for its body, if that is announced to be short: many upstreams
    /// send the two in two pieces, and whoever passes each on by itself pays for sending twice.
    public var shortBodyWait = Duration.milliseconds(5)
    /// The largest response.
    public var responseLimits = HTTPLimits()
    /// When to stop asking.
    public var circuitBreaker = CircuitBreakerConfiguration()

    /// Makes connections secure, and says whom they trust; nil for plain ones. The upstream proves itself as the host
    /// of its endpoint, and as `localhost` on a Unix-domain socket.
    public var tls: TLSClientContext?

    /// The defaults.
    public init() {}
}

/// When a circuit opens and for how long.
public struct CircuitBreakerConfiguration: Sendable {
    /// How many requests in a row must fail before the circuit opens. A failure is no answer in time; a response with
    /// status 500 is an answer.
    public var failures = 20
    /// How long it opens the first time; doubled each time until a request succeeds, and shortened at random by up to a
    /// half.
    public var firstOpening = Duration.milliseconds(100)
    /// The longest it opens.
    public var longestOpening = Duration.milliseconds(500)
    /// A request whose deadline gave the upstream less time than this does not count as a failure: it says more about
    /// its sender, who could otherwise close the upstream to everybody with a few impatient requests.
    public var leastPatience = Duration.seconds(1)

    /// The defaults.
    public init() {}
}

/// Whether requests are let through to the upstream.
public enum CircuitState: Hashable, Sendable {
    /// All are.
    case closed
    /// None is.
    case open
    /// One is, or will be, to find out.
    case halfOpen
}
