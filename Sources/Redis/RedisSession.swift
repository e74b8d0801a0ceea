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
    package var rejected = 0
    @Counter("tickloop_redis_connects_total", "Connections made.") package var connections = 0
    @Counter("tickloop_redis_connections_lost_total", "Connections lost.") package var losses = 0
}

/// Keeps one connection to Redis up: resolves, connects, and after a loss tries again with full-jitter back-off, for
/// ever. ``RedisClient``, ``RedisBlockingReader`` and ``RedisSubscriber`` are thin layers over it.
@ReactorActor
final class RedisSession {
    /// A connection that lived shorter than this does not count as a success: a server that accepts and then refuses
    /// (read-only, loading) must not be met with the shortest delay for ever.
    private static let provenAfter = Duration.seconds(1)

    /// Longest wait before asking again a server that refuses this user or password: time does not heal that.
    private static let refusalDelayCap = Duration.seconds(15)
    /// How often an outage that lasts is said.
    private static let reminderInterval = Duration.seconds(60)

    private enum State {
        case idle
        /// Resolving, connecting or introducing.
        case connecting(RedisConnection?)
        case open(RedisConnection, since: Instant)
        /// The timer is running.
        case waiting
        case closed
    }

    private let configuration: RedisConfiguration
    private let introduction: [RedisCommand]
    private var logger: Logger
    private var state = State.idle
    private var backoff: Backoff
    private var refusalBackoff: Backoff
    private var saidAt: Instant?
    private var timer: Timer?

    /// Counts the connections that were begun. Whatever began under another number is stale.
    private(set) var generation = 0
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
    /// Called with each pub/sub message.
    var onPublished: (borrowing RedisReplyView) -> Void = { _ in }

    /// Failures since the last good connection; picks the address to try, and keeps the log to one line per outage.
    private var failures = 0

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
        backoff = Backoff(first: configuration.reconnectFirstDelay, cap: configuration.reconnectDelayCap)
        refusalBackoff = Backoff(
            first: configuration.reconnectFirstDelay,
            cap: max(configuration.reconnectDelayCap, Self.refusalDelayCap)
        )
        timer = Timer { [unowned self] in connect() }
    }

    isolated deinit { close() }

    /// The open connection; nil while there is none.
    var connection: RedisConnection? {
        if case .open(let connection, _) = state { connection } else { nil }
    }

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
    func start() {
        if case .idle = state { connect() }
    }

    /// Ends the connection, without another.
    func close() {
        let last = state
        state = .closed
        timer?.cancel()
        switch last {
        case .connecting(let connection): connection?.close()
        case .open(let connection, _): connection.close()
        case .idle, .waiting, .closed: break
        }
    }

    private func connect() {
        generation += 1
        let generation = generation
        let deadline = Reactor.now + configuration.connectTimeout
        let (endpoint, limit) = (configuration.endpoint, configuration.connectTimeout)
        state = .connecting(nil)
        Reactor.spawn { [weak self] in
            do throws(ResolutionError) {
                let addresses = try await Resolver.resolve(endpoint, within: limit)
                self?.resolved(addresses, generation: generation, deadline: deadline)
            } catch {
                self?.failed(.unresolved(error), generation: generation)
            }
        }
    }

    private func resolved(_ addresses: [SocketAddress], generation: Int, deadline: Instant) {
        guard generation == self.generation, case .connecting = state else { return }
        let events = RedisConnection.Events(
            opened: { [weak self] in self?.opened(generation: generation) },
            closed: { [weak self] fault in self?.failed(fault, generation: generation) },
            published: { [weak self] message in self?.onPublished(message) }
        )
        do {
            state = .connecting(
                try RedisConnection(
                    to: addresses[failures % addresses.count],
                    configuration: configuration,
                    introduction: introduction,
                    deadline: deadline,
                    latency: latency,
                    events: events
                )
            )
        } catch {
            failed(error, generation: generation)
        }
    }

    private func opened(generation: Int) {
        guard generation == self.generation, case .connecting(let connection?) = state else { return }
        state = .open(connection, since: Reactor.now)
        counters.connections += 1
        fault = nil
        refusalBackoff.reset()
        saidAt = nil
        logger.info("redis connected", metadata: ["failures": "\(failures)"])
        onOpened(connection)
    }

    private func failed(_ fault: RedisFault, generation: Int) {
        guard generation == self.generation else { return }
        var wasOpen = false
        switch state {
        case .open(_, let since):
            wasOpen = true
            counters.losses += 1
            if Reactor.now - since >= Self.provenAfter {
                backoff.reset()
                failures = 0
            }
        case .connecting: break
        case .idle, .waiting, .closed: return
        }
        self.fault = fault
        let isReminderDue = saidAt.map { Reactor.now - $0 >= Self.reminderInterval } ?? false
        if failures == 0 || isReminderDue {
            saidAt = Reactor.now
            logger.warning("redis connection failed", metadata: ["fault": "\(fault)", "failures": "\(failures)"])
        }
        failures += 1
        state = .waiting
        timer?.schedule(after: fault.isRefusalOfUser ? refusalBackoff.next() : backoff.next())
        if wasOpen { onLost() }
    }
}
