internal import Logging
internal import Metrics
internal import Reactor

/// What a client has done since it was made.
public struct RedisCounters: Sendable, Equatable {
    @Counter("tickloop_redis_commands_total", "Commands that were to be sent.") package var commands = 0
    @Counter(
        "tickloop_redis_commands_rejected_total",
        "Commands that failed at once because nothing was connected."
    )
    var rejected = 0
    @Counter("tickloop_redis_connects_total", "Connections made.") package var connections = 0
    @Counter("tickloop_redis_connections_lost_total", "Connections lost.") package var losses = 0
}

/// Keeps one connection to Redis up: resolves, connects, and after a loss tries again with full-jitter back-off, for
/// ever. ``RedisClient``, ``RedisBlockingReader`` and ``RedisSubscriber`` are thin layers over it.
@ReactorActor
final class RedisLink {
    /// A connection that lived shorter than this does not count as a success: a server that accepts and then refuses
    /// (read-only, loading) must not be met with the shortest delay for ever.
    private static let provenAfter = Duration.seconds(1)

    /// Longest wait before asking again a server that refuses this user or password: time does not heal that.
    private static let refusalDelayCap = Duration.seconds(15)

    /// Resolves, connects and introduces. Dropped before it has succeeded, it closes what it has.
    @ReactorActor
    private final class Attempt {
        var connection: RedisConnection?

        isolated deinit { connection?.close() }
    }

    private let configuration: RedisConfiguration
    private let introduction: [RedisCommand]
    private var logger: Logger
    private lazy var link = Link<RedisConnection, RedisFault>(
        first: configuration.reconnectFirstDelay,
        cap: configuration.reconnectDelayCap,
        refusalCap: Self.refusalDelayCap
    ) { [unowned self] in attempt($0) }
    private var openedAt = Instant.now
    /// Of connections that cannot be made or do not last, until one has proven good.
    private var outage = Reminder()

    private(set) var counters = RedisCounters()
    /// Why the last connection could not be made or did not last; nil before any failed, and while one is open.
    private(set) var fault: RedisFault?
    let latency = Histogram(
        "tickloop_redis_command_duration_seconds",
        "Round trips of commands; one of those in flight is timed at a time."
    )

    /// Called when a connection was made.
    var onOpened: (RedisConnection) -> Void = { _ in }
    /// Called when an open connection was lost; a new one is being made.
    var onLost: () -> Void = {}
    private var observers: [@ReactorActor (Bool) -> Void] = []
    /// Called with each pub/sub message.
    var onPublished: (borrowing RedisReplyView) -> Void = { _ in }

    /// - Parameter purpose: Appended to the client name, to tell a process's connections apart in `CLIENT LIST`.
    init(
        _ configuration: RedisConfiguration,
        purpose: String,
        asksForID: Bool = false,
        logger: Logger
    ) {
        self.configuration = configuration
        introduction = configuration.introduction(as: purpose, asksForID: asksForID)
        self.logger = logger
        self.logger[metadataKey: "redis_connection"] = .string(configuration.clientName + purpose)
        link.onOpen = { [unowned self] in opened($0) }
        link.onFailure = { [unowned self] in note($0) }
    }

    isolated deinit { link.close()?.close() }

    /// The open connection; nil while there is none.
    var connection: RedisConnection? { link.connection }

    /// Counts the connections that were begun.
    var generation: Int { link.generation }

    /// Sends a command, or fails it at once while there is no connection.
    func send(_ command: inout RedisCommand, timeout: Duration, then handler: @escaping RedisReplyHandler) {
        counters.commands += 1
        guard let connection else {
            counters.rejected += 1
            return handler(.failed(.disconnected))
        }
        connection.send(&command, timeout: timeout, then: handler)
    }

    /// Starts connecting; the second call does nothing.
    func start() { link.open() }

    /// Ends the connection, without another.
    func close() {
        guard let connection = link.close() else { return }
        connection.close()
        announce(false)
    }

    /// Calls `observer` with true each time a connection was made and with false each time one was lost or closed.
    func onStateChange(_ observer: @escaping @ReactorActor (Bool) -> Void) { observers.append(observer) }

    private func announce(_ isOpen: Bool) {
        for observer in observers { observer(isOpen) }
    }

    private func attempt(
        _ then: @escaping @ReactorActor (Result<RedisConnection, RedisFault>) -> Void
    ) -> AnyObject {
        let attempt = Attempt()
        let deadline = Reactor.now + configuration.connectTimeout
        let (endpoint, limit) = (configuration.endpoint, configuration.connectTimeout)
        Reactor.spawn { [weak self, weak attempt] in
            do throws(ResolutionError) {
                let addresses = try await Resolver.resolve(endpoint, within: limit)
                guard let self, let attempt else { return }
                connect(attempt, to: addresses[link.failures % addresses.count], deadline: deadline, then)
            } catch {
                then(.failure(.unresolved(error)))
            }
        }
        return attempt
    }

    private func connect(
        _ attempt: Attempt,
        to address: SocketAddress,
        deadline: Instant,
        _ then: @escaping @ReactorActor (Result<RedisConnection, RedisFault>) -> Void
    ) {
        let events = RedisConnection.Events(
            opened: { [weak attempt] in
                if let connection = attempt?.connection.take() { then(.success(connection)) }
            },
            closed: { [weak self, weak attempt] fault in
                if attempt == nil { self?.lost(fault) } else { then(.failure(fault)) }
            },
            published: { [weak self] message in self?.onPublished(message) }
        )
        do {
            attempt.connection = try RedisConnection(
                to: address,
                configuration: configuration,
                introduction: introduction,
                deadline: deadline,
                latency: latency,
                events: events
            )
        } catch {
            then(.failure(error))
        }
    }

    private func opened(_ connection: RedisConnection) {
        openedAt = Reactor.now
        counters.connections += 1
        fault = nil
        logger.info("redis connected", metadata: ["failures": "\(link.failures)"])
        onOpened(connection)
        announce(true)
    }

    private func lost(_ fault: RedisFault) {
        counters.losses += 1
        let wasGood = Reactor.now - openedAt >= Self.provenAfter
        if wasGood { outage.reset() }
        link.lost(wasGood: wasGood)
        note(fault)
        onLost()
        announce(false)
    }

    /// Says that there is no connection: once when an outage begins, and again now and then while it lasts.
    private func note(_ fault: RedisFault) {
        self.fault = fault
        guard outage.isDue(at: Reactor.now) != nil else { return }
        logger.warning("redis connection failed", metadata: ["fault": "\(fault)", "failures": "\(link.failures)"])
    }
}
