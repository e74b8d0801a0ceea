internal import DequeModule
public import Logging
package import Metrics
public import Reactor

/// A few connections to one PostgreSQL server, shared by every statement of the process.
///
/// Many statements are in flight on each connection at once (libpq's pipeline mode); those of one turn of the loop are
/// written together when it ends. A statement takes the connection with the least to do. When all are full it waits,
/// in order, until its deadline. When there is none and the last attempt to get one failed, it fails at once, so that
/// a request is answered "unavailable" in no time; connecting goes on in the background.
@ReactorActor
public final class PostgresPool {
    /// Figures for metrics.
    public struct Statistics: Equatable, Sendable {
        @Gauge("tickloop_database_connections", "Connections that are open.") package var connections = 0
        @Gauge("tickloop_database_statements_in_flight", "Statements sent and not answered.") package var inFlight = 0
        @Gauge("tickloop_database_waiting_statements", "Statements that wait for a connection.")
        var waiting = 0
        @Counter("tickloop_database_statements_total", "Statements accepted.") package var statements = 0
        @Counter(
            "tickloop_database_waits_total",
            "Statements that had to wait because every connection was full."
        )
        var waits = 0
        @Counter(
            "tickloop_database_refusals_total",
            "Statements refused at once, with nothing connected or too many waiting."
        )
        var refusals = 0
        @Counter("tickloop_database_reconnects_total", "Connections that were lost and made again.")
        var reconnects = 0
    }

    /// What the log was told last, so that it is told changes only.
    private enum News {
        case none
        case ready
        case unavailable
    }

    /// The limits and addresses.
    public let configuration: PostgresConfiguration
    /// How long statements took.
    let latency = Histogram(
        "tickloop_database_statement_duration_seconds",
        "Time from a statement to its outcome, waiting for a connection included; not of those refused at once."
    )

    private let logger: Logger
    private let links: [PostgresLink]
    private var waiters = Deque<PendingQuery>()
    private var waiterDeadlines: DeadlineTimer?
    private var isClosed = false
    private var shutdownProbe: ShutdownProbe?
    /// Whether the server shuts down, and each connection is given up as soon as it is idle.
    private var isLeaving = false
    private var lastNews = News.none
    /// Of the server being away, until it is back.
    private var outage = Reminder()
    private var counters = Statistics()

    /// Begins to connect, in the background.
    public init(_ configuration: PostgresConfiguration, logger: Logger) {
        precondition((1...64).contains(configuration.connections))
        precondition(configuration.inFlightPerConnectionMax > 0)
        self.configuration = configuration
        self.logger = logger
        links = (0..<configuration.connections).map { _ in configuration.link() }
        waiterDeadlines = DeadlineTimer { [unowned self] in expireWaiters() }
        for link in links {
            link.onOpen = { [unowned self, unowned link] in opened($0, link) }
            link.onFailure = { [unowned self] in connectingFailed($0) }
            link.open()
        }
        shutdownProbe = ShutdownProbe(
            configuration,
            isNeeded: { [unowned self] in isReady },
            onShutdown: { [unowned self] in leave() }
        )
    }

    /// Whether at least one connection is open.
    public var isReady: Bool { links.contains { $0.connection != nil } }

    /// The database that its statements are executed in.
    public var database: String { configuration.database }

    /// Figures for metrics.
    public var statistics: Statistics {
        var statistics = counters
        for connection in links.compactMap(\.connection) {
            statistics.connections += 1
            statistics.inFlight += connection.load
        }
        statistics.waiting = waiters.count
        return statistics
    }

    /// Closes every connection. What is in flight or waits fails, and so does all that comes later.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        shutdownProbe?.close()
        for link in links { link.close()?.close() }
        failWaiters()
    }

    // MARK: Statements

    /// Executes a statement.
    ///
    /// - Parameters:
    ///   - comment: `/*…*/`, which the server's views and logs show behind the statement. It costs that this execution
    ///     is parsed and planned anew, about as much again as a short read. Never a client's text.
    ///   - deadline: When the caller stops waiting. The server goes on until its own `statement_timeout`.
    ///   - completion: Called exactly once, on the loop; before this returns if the statement is refused.
    public func query(
        _ statement: PostgresStatement,
        _ parameters: [PostgresParameter] = [],
        comment: String? = nil,
        deadline: Instant,
        then completion: @escaping @ReactorActor (Result<PostgresResult, PostgresError>) -> Void
    ) {
        guard PostgresParameter.areEncodable(parameters) else { return completion(.failure(.unencodable)) }
        counters.statements += 1
        accept(
            PendingQuery(
                comment.map { .commented(statement, $0) } ?? .prepared(statement),
                parameters,
                deadline: deadline,
                isRepeatable: statement.isReading,
                latency: latency,
                then: completion
            )
        )
    }

    /// Executes a statement.
    ///
    /// - Parameter deadline: When the caller stops waiting. The server goes on until its own `statement_timeout`.
    public func query(
        _ statement: PostgresStatement,
        _ parameters: [PostgresParameter] = [],
        deadline: Instant
    ) async throws(PostgresError) -> PostgresResult {
        let promise = Promise<PostgresResult, PostgresError>()
        query(statement, parameters, deadline: deadline) { promise.settle($0) }
        return try await promise.value
    }

    private func accept(_ query: PendingQuery) {
        guard query.deadline > Reactor.now else { return query.finish(.failure(.timedOut(wasSent: false))) }
        if waiters.isEmpty, let connection = leastLoaded, hasRoom(connection) {
            connection.submit(query)
        } else {
            wait(query)
        }
    }

    private func hasRoom(_ connection: Connection) -> Bool {
        connection.hasRoom(most: configuration.inFlightPerConnectionMax)
    }

    /// The connection with the least to do.
    private var leastLoaded: Connection? {
        var best: (connection: Connection, load: Int)?
        for link in links {
            guard let connection = link.connection else { continue }
            let load = connection.load
            if best.map({ load < $0.load }) ?? true { best = (connection, load) }
        }
        return best?.connection
    }

    // MARK: Waiting

    private func wait(_ query: PendingQuery) {
        guard mayConnectSoon else {
            counters.refusals += 1
            return query.finish(.failure(.unavailable))
        }
        guard waiters.count < configuration.waitersMax else {
            counters.refusals += 1
            return query.finish(.failure(.overloaded))
        }
        counters.waits += 1
        waiters.append(query)
        waiterDeadlines?.fire(noLaterThan: query.deadline)
    }

    /// Whether waiting makes sense: there is a connection, or the first attempt since there was one is under way.
    private var mayConnectSoon: Bool {
        !isClosed && links.contains { $0.connection != nil || $0.isHopeful }
    }

    private func serveWaiters() {
        while let query = waiters.first, let connection = leastLoaded {
            guard query.deadline > Reactor.now else {
                expireWaiters()
                continue
            }
            guard hasRoom(connection) else { return }
            waiters.removeFirst()
            connection.submit(query)
        }
    }

    private func expireWaiters() {
        let now = Reactor.now
        let overdue = waiters.filter { $0.deadline <= now }
        waiters.removeAll { $0.deadline <= now }
        for query in waiters { waiterDeadlines?.fire(noLaterThan: query.deadline) }
        for query in overdue { query.finish(.failure(.timedOut(wasSent: false))) }
    }

    private func failWaiters() {
        let all = waiters
        waiters = []
        waiterDeadlines?.cancel()
        for query in all { query.finish(.failure(.unavailable)) }
    }

    // MARK: Connections come and go

    private func opened(_ connection: Connection, _ link: PostgresLink) {
        connection.onProgress = { [unowned self, unowned connection] in progressed(connection) }
        connection.onLoss = { [unowned self, unowned link, unowned connection] loss, unanswered in
            link.lost(wasGood: connection.hasAnswered)
            lost(loss, unanswered)
        }
        isLeaving = false
        logger.debug("postgres_connection_open", metadata: ["server_process": "\(connection.serverProcess ?? 0)"])
        if lastNews != .ready { logger.info("postgres_ready") }
        lastNews = .ready
        outage.reset()
        serveWaiters()
    }

    private func progressed(_ connection: Connection) {
        serveWaiters()
        if isLeaving, connection.isIdle { connection.close() }
    }

    /// Gives up the connections, each when it is idle, so that the server can end.
    private func leave() {
        guard !isLeaving, !isClosed else { return }
        isLeaving = true
        logger.notice("postgres_shuts_down")
        for connection in links.compactMap(\.connection) where connection.isIdle { connection.close() }
    }

    private func lost(_ loss: Connection.Loss, _ unanswered: [PendingQuery]) {
        if !isClosed { counters.reconnects += 1 }
        if !isLeaving {
            let level: Logger.Level = isClosed ? .debug : .warning
            logger.log(level: level, "postgres_connection_lost", metadata: ["reason": "\(loss.rawValue)"])
        }
        for query in unanswered {
            guard query.isAwaited else { continue }
            if query.isRepeatable, !isClosed {
                // Once only: it could be what makes the server crash.
                query.isRepeatable = false
                accept(query)
            } else {
                query.finish(.failure(.connectionLost))
            }
        }
    }

    private func connectingFailed(_ failure: PostgresConnectError) {
        if !isReady, outage.isDue(at: Reactor.now) != nil {
            lastNews = .unavailable
            logger.warning("postgres_unavailable", metadata: ["reason": "\(failure.debugDescription)"])
        }
        if !mayConnectSoon { failWaiters() }
        if failure.tellsOfShutdown, isReady { leave() }
    }
}

extension PostgresPool: Measured {
    package func collect(into page: inout MetricsPage) {
        let statistics = statistics
        page.add(
            .gauge("tickloop_database_up", "Whether a connection to the database is open.").announced(),
            statistics.connections > 0
        )
        page.add(latency)
        page.add(statistics)
        page.gauge(
            "tickloop_database_connections_limit",
            "Connections that the pool keeps when all is well.",
            configuration.connections
        )
        page.gauge(
            "tickloop_database_statements_in_flight_limit",
            "Statements that may be in flight on all connections together.",
            configuration.connections * configuration.inFlightPerConnectionMax
        )
    }
}
