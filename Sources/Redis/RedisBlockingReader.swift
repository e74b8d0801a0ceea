public import Logging
public import Reactor

/// A connection of its own for commands that block: `XREADGROUP … BLOCK`, `XREAD … BLOCK`.
///
/// A blocking command occupies its connection until there is something to read, so it cannot share one. The reader
/// reconnects by itself; what to read next, and from which id, is the owner's matter.
@ReactorActor
public final class RedisBlockingReader {
    /// How long after an unsuccessful `CLIENT UNBLOCK` to ask again.
    private static let interruptRetryDelay = Duration.milliseconds(10)

    private let configuration: RedisConfiguration
    private let link: RedisLink
    /// Counts the reads, so that an interruption stops with the read that it was meant for.
    private var readCount = 0
    private var interruptTimer: Timer?

    /// Whether a read was sent and not answered.
    public private(set) var isReading = false

    /// Makes a reader that is not connecting yet.
    ///
    /// - Parameter purpose: Appended to the client name, to tell this connection apart in `CLIENT LIST`.
    public init(_ configuration: RedisConfiguration, purpose: String = ":reader", logger: Logger) {
        self.configuration = configuration
        link = RedisLink(configuration, purpose: purpose, asksForID: true, logger: logger)
    }

    /// Starts connecting, and keeps trying.
    public func start() { link.start() }

    /// Closes the connection for good; a read that is under way fails.
    public func close() { link.close() }

    /// Whether a read can be sent now.
    public var isReady: Bool { link.connection != nil && !isReading }

    /// What the reader has done since it was made.
    public var counters: RedisCounters { link.counters }

    /// Calls `observer` with true each time a connection was made and with false each time one was lost, for the life
    /// of the reader. Capture owners weakly.
    public func onStateChange(_ observer: @escaping @ReactorActor (Bool) -> Void) { link.onStateChange(observer) }

    /// Sends a blocking command; one at a time.
    ///
    /// - Parameters:
    ///   - block: The time after which Redis answers "nothing", as in the command's `BLOCK`. When no answer has come
    ///     ``RedisConfiguration/stallTimeout`` after that, the connection is given up.
    ///   - handler: Called exactly once, on the loop. A failure can mean that Redis has handed entries over which never
    ///     arrived: a group reader finds them in its own pending list.
    public func read(
        _ command: inout RedisCommand,
        blockingFor block: Duration,
        then handler: @escaping RedisReplyHandler
    ) {
        precondition(!isReading, "one blocking read at a time")
        isReading = true
        readCount += 1
        link.send(&command, timeout: block + configuration.stallTimeout) { [weak self] outcome in
            self?.isReading = false
            handler(outcome)
        }
    }

    /// Makes a blocked read return "nothing" now, without losing a batch that is already on its way.
    ///
    /// `client` asks Redis to unblock this connection. The two connections race: when the read has not yet reached
    /// Redis, there is nothing to unblock, so the question is repeated until the read has returned.
    public func interrupt(through client: RedisClient) {
        guard isReading, let id = link.connection?.clientID else { return }
        unblock(id, read: readCount, through: client)
    }

    private func unblock(_ id: Int64, read: Int, through client: RedisClient) {
        guard isReading, read == readCount else { return }
        client.command(["CLIENT", "UNBLOCK", .integer(id)]) { [weak self, weak client] result in
            // Without a command connection the read ends by itself, after its `BLOCK`.
            guard case .success = result, let self, let client, isReading, read == readCount else { return }
            interruptTimer = Timer { [weak self, weak client] in
                guard let self, let client else { return }
                unblock(id, read: read, through: client)
            }
            interruptTimer?.schedule(after: Self.interruptRetryDelay)
        }
    }
}
