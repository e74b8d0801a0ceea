public import Logging
public import Metrics
public import Reactor

/// Commands over one pipelined connection, which is kept up by itself.
///
/// ```swift
/// let redis = RedisClient(configuration, logger: logger)
/// redis.start()
/// let price = try await redis.command(["GET", "price:AAPL:yfinance"])
/// ```
///
/// - All commands of one turn of the loop leave in one system call, and many are in flight at once.
/// - While there is no connection, commands fail at once with ``RedisError/disconnected``; they are never queued for
///   later.
/// - A command that is not answered within its timeout fails for its caller alone; the connection is given up only when
///   the oldest command stays unanswered for ``RedisConfiguration/stallTimeout``.
/// - Blocking commands and `SUBSCRIBE` do not belong here: see ``RedisBlockingReader`` and ``RedisSubscriber``.
@ReactorActor
public final class RedisClient {
    /// How the client was configured.
    public let configuration: RedisConfiguration
    /// What the client has done since it was made.
    public var counters: RedisCounters { link.counters }
    /// How long round trips took, one of the commands in flight being timed at a time.
    public var latency: Histogram { link.latency }
    private let link: RedisLink

    /// Makes a client that is not connecting yet.
    public init(_ configuration: RedisConfiguration, logger: Logger) {
        self.configuration = configuration
        link = RedisLink(configuration, purpose: "", logger: logger)
    }

    /// Starts connecting, and keeps trying.
    public func start() { link.start() }

    /// Closes the connection for good; pending commands fail.
    public func close() { link.close() }

    /// Whether commands can be sent now.
    public var isReady: Bool { link.connection != nil }

    /// Why there is no connection, for operators; nil while there is one, and before the first try has ended.
    public var fault: RedisFault? { link.fault }

    /// A number that is larger for each connection, so that what belongs to an earlier one can be told apart.
    var generation: Int { link.generation }

    /// Calls `observer` with true each time a connection was made and with false each time one was lost, for the life
    /// of the client. Capture owners weakly.
    public func onStateChange(_ observer: @escaping @ReactorActor (Bool) -> Void) { link.onStateChange(observer) }

    /// Waits until the client is ready.
    ///
    /// - Returns: False when it is still not ready after `limit`.
    public func waitUntilReady(within limit: Duration) async -> Bool {
        if isReady { return true }
        let changed = Promise<Bool, Never>()
        onStateChange { [weak changed] isReady in if isReady { changed?.succeed(true) } }
        let timer = Timer { changed.succeed(false) }
        timer.schedule(after: limit)
        defer { timer.cancel() }
        return await changed.result.get()
    }

    /// Sends a command and lends its reply to a callback: the form without copies.
    ///
    /// - Parameters:
    ///   - timeout: How long to wait for the reply; nil means ``RedisConfiguration/commandTimeout``.
    ///   - handler: Called exactly once, on the loop; before this method returns when nothing could be sent.
    public func send(
        _ command: inout RedisCommand,
        timeout: Duration? = nil,
        then handler: @escaping RedisReplyHandler
    ) {
        link.send(&command, timeout: timeout ?? configuration.commandTimeout, then: handler)
    }

    /// Sends a command and hands a copy of its reply to a callback.
    public func command(
        _ arguments: [RedisArgument],
        timeout: Duration? = nil,
        then handler: @escaping @ReactorActor (Result<RedisReply, RedisError>) -> Void
    ) {
        var command = RedisCommand(arguments)
        send(&command, timeout: timeout) { handler($0.copied()) }
    }

    /// Sends a command and waits for its reply.
    public func command(
        _ arguments: [RedisArgument],
        timeout: Duration? = nil
    ) async throws(RedisError) -> RedisReply {
        let promise = Promise<RedisReply, RedisError>()
        command(arguments, timeout: timeout) { promise.settle($0) }
        return try await promise.value
    }
}

extension RedisClient: Measured {
    package func collect(into page: inout MetricsPage) {
        page.gauge(
            "tickloop_redis_up",
            "Whether commands can be sent to Redis.",
            isReady
        )
        page.add(latency)
        page.labelled("connection", "commands") { $0.add(counters) }
    }
}
