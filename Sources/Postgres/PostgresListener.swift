public import Logging
public import Reactor

/// Listens for `NOTIFY` on a connection of its own, which it makes anew whenever it is lost.
///
/// A notification is a hint and not a message: what is sent while nobody listens is lost, and equal ones of a
/// transaction are one. So look at the tables whenever listening begins, and at intervals; the hint only saves time.
///
/// - SeeAlso: PostgreSQL manual, `LISTEN` and `NOTIFY`.
@ReactorActor
public final class PostgresListener {
    private let channels: [String]
    private let logger: Logger
    private let link: Link
    private let onListening: () -> Void
    private let onNotification: (_ channel: String, _ payload: String) -> Void
    private let listenTimeout: Duration
    private var shutdownProbe: ShutdownProbe?

    /// Whether notifications sent from now on arrive.
    public private(set) var isListening = false

    /// Begins to connect, in the background.
    ///
    /// - Parameters:
    ///   - channels: Names of channels, any characters; at least one.
    ///   - onListening: Called each time when listening begins. Something may have been missed before.
    ///   - onNotification: Called for each notification.
    public init(
        _ configuration: PostgresConfiguration,
        channels: [String],
        logger: Logger,
        onListening: @escaping @ReactorActor () -> Void,
        onNotification: @escaping @ReactorActor (_ channel: String, _ payload: String) -> Void
    ) {
        precondition(!channels.isEmpty)
        self.channels = channels
        self.logger = logger
        self.onListening = onListening
        self.onNotification = onNotification
        listenTimeout = configuration.connectTimeout
        link = Link(configuration)
        link.onOpen = { [unowned self] in opened($0) }
        link.onLoss = { [unowned self] loss, _ in
            isListening = false
            self.logger.warning("postgres_listener_lost", metadata: ["reason": "\(loss.rawValue)"])
        }
        link.onFailure = { [unowned self] failure in
            self.logger.debug("postgres_listener_unavailable", metadata: ["reason": "\(failure.debugDescription)"])
        }
        link.open()
        shutdownProbe = ShutdownProbe(
            configuration,
            isNeeded: { [unowned self] in isListening },
            onShutdown: { [unowned self] in link.connection?.close() }
        )
    }

    /// Stops listening.
    public func close() {
        shutdownProbe?.close()
        link.close()
        isListening = false
    }

    private func opened(_ connection: Connection) {
        connection.onNotification = { [unowned self] in onNotification($0, $1) }
        let script = channels.map { "LISTEN \($0.quotedIdentifier)" }.joined(separator: ";")
        connection.begin(
            Exchange(script, deadline: Reactor.now + listenTimeout) { [weak self, weak connection] outcome in
                switch outcome {
                case .success:
                    self?.isListening = true
                    self?.onListening()
                case .failure:
                    connection?.close()
                }
            }
        )
    }
}

extension String {
    /// As an identifier of SQL that keeps every character.
    var quotedIdentifier: String {
        let escaped = reduce(into: "") { text, character in
            text += character == "\"" ? "\"\"" : String(character)
        }
        return "\"\(escaped)\""
    }
}
