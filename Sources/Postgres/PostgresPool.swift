internal import DequeModule
public import Logging
public import Metrics
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
        @Gauge(
            "tickloop_database_connections_lent",
            "Connections that one caller has to himself, for a transaction for example."
        )
        package var lent = 0
        @Gauge("tickloop_database_statements_in_flight", "Statements sent and not answered.") package var inFlight = 0
        @Gauge("tickloop_database_waiting_statements", "Statements and transactions that wait for a connection.")
        package var waiting = 0
        @Counter("tickloop_database_statements_total", "Statements accepted.") package var statements = 0
        @Counter(
            "tickloop_database_waits_total",
            "Statements that had to wait because every connection was full."
        )
        package var waits = 0
        @Counter(
            "tickloop_database_refusals_total",
            "Statements refused at once, with nothing connected or too many waiting."
        )
        package var refusals = 0
        @Counter("tickloop_database_reconnects_total", "Connections that were lost and made again.")
        package var reconnects = 0
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
    public let latency = Histogram(
        "tickloop_database_statement_duration_seconds",
        "Time from a statement to its outcome, waiting for a connection included; not of those refused at once."
    )

    private let logger: Logger
    private let slots: [PoolSlot]
    private var waiters = Deque<PoolWaiter>()
    private var waiterDeadlines: DeadlineTimer?
    private var isClosed = false
    private var shutdownProbe: ShutdownProbe?
    /// Whether the server shuts down, and each connection is given up as soon as it is idle.
    private var isLeaving = false
    private var lastNews = News.none
    private var counters = Statistics()

    /// Begins to connect, in the background.
    public init(_ configuration: PostgresConfiguration, logger: Logger) {
        precondition((1...64).contains(configuration.connections))
        precondition(configuration.inFlightPerConnectionMax > 0)
        self.configuration = configuration
        self.logger = logger
        slots = (0..<configuration.connections).map { _ in PoolSlot(Link(configuration)) }
        waiterDeadlines = DeadlineTimer { [unowned self] in expireWaiters() }
        for slot in slots {
            let link = slot.link
            link.onOpen = { [unowned self, unowned slot] in opened($0, slot) }
            link.onLoss = { [unowned self, unowned slot] in lost(slot, $0, $1) }
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
    public var isReady: Bool { slots.contains { $0.link.connection != nil } }

    /// The database that its statements are executed in.
    public var database: String { configuration.database }

    /// Figures for metrics.
    public var statistics: Statistics {
        var statistics = counters
        for slot in slots {
            guard let connection = slot.link.connection else { continue }
            statistics.connections += 1
            statistics.inFlight += connection.load
            if slot.isLent { statistics.lent += 1 }
        }
        statistics.waiting = waiters.count
        return statistics
    }

    /// Closes every connection. What is in flight or waits fails, and so does all that comes later.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        shutdownProbe?.close()
        for slot in slots { slot.link.close() }
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
        if waiters.isEmpty, let connection = leastLoaded?.link.connection,
            connection.load < configuration.inFlightPerConnectionMax
        {
            connection.submit(query)
        } else {
            wait(.query(query))
        }
    }

    /// The shared connection with the least to do.
    private var leastLoaded: PoolSlot? {
        var best: (slot: PoolSlot, load: Int)?
        for slot in slots where !slot.isLent {
            guard let load = slot.link.connection?.load else { continue }
            if best.map({ load < $0.load }) ?? true { best = (slot, load) }
        }
        return best?.slot
    }

    // MARK: Waiting

    private func wait(_ waiter: PoolWaiter) {
        guard mayConnectSoon else {
            counters.refusals += 1
            return waiter.fail(.unavailable)
        }
        guard waiters.count < configuration.waitersMax else {
            counters.refusals += 1
            return waiter.fail(.overloaded)
        }
        counters.waits += 1
        waiters.append(waiter)
        waiterDeadlines?.fire(noLaterThan: waiter.deadline)
    }

    /// Whether waiting makes sense: there is a connection, or the first attempt since there was one is under way.
    private var mayConnectSoon: Bool {
        !isClosed && slots.contains { $0.link.connection != nil || $0.link.isHopeful }
    }

    private func serveWaiters() {
        while let waiter = waiters.first, let slot = leastLoaded, let connection = slot.link.connection {
            guard waiter.deadline > Reactor.now else {
                expireWaiters()
                continue
            }
            switch waiter {
            case .query(let query):
                guard connection.load < configuration.inFlightPerConnectionMax else { return }
                waiters.removeFirst()
                connection.submit(query)
            case .loan(let loan):
                waiters.removeFirst()
                lend(slot, to: loan)
            }
        }
    }

    private func expireWaiters() {
        let now = Reactor.now
        let overdue = waiters.filter { $0.deadline <= now }
        waiters.removeAll { $0.deadline <= now }
        for waiter in waiters { waiterDeadlines?.fire(noLaterThan: waiter.deadline) }
        for waiter in overdue { waiter.fail(.timedOut(wasSent: false)) }
    }

    private func failWaiters() {
        let all = waiters
        waiters = []
        waiterDeadlines?.cancel()
        for waiter in all { waiter.fail(.unavailable) }
    }

    // MARK: Lending

    /// Lets `body` have a connection to itself: for statements that belong together, simple-protocol scripts, `COPY`.
    ///
    /// The others share what is left. Afterwards the connection goes back to them; if `body` leaves a transaction open
    /// the connection is closed instead. What `body` sets with `SET` it has to take back.
    ///
    /// - Parameter deadline: When to stop waiting for a connection. `body` bounds its own calls.
    @discardableResult
    public func withSession<Value>(
        deadline: Instant,
        _ body: @ReactorActor (PostgresSession) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        let (slot, session) = try await borrow(deadline: deadline)
        defer { giveBack(slot, session) }
        return try await body(session)
    }

    /// Executes `body` in a transaction, on a connection of its own.
    ///
    /// When `body` throws, or the connection breaks before the commit is sent, nothing stays of it.
    ///
    /// - Parameter deadline: When to stop waiting for a connection, for `BEGIN` and for `COMMIT`. `body` bounds its
    ///   own calls.
    @discardableResult
    public func transaction<Value, Failure>(
        deadline: Instant,
        _ body: @ReactorActor (PostgresSession) async throws(Failure) -> Value
    ) async throws(PostgresTransactionError<Failure>) -> Value {
        let slot: PoolSlot
        let session: PostgresSession
        do { (slot, session) = try await borrow(deadline: deadline) } catch { throw .database(error) }
        defer { giveBack(slot, session) }
        return try await session.transaction(deadline: deadline, body)
    }

    private func borrow(deadline: Instant) async throws(PostgresError) -> (PoolSlot, PostgresSession) {
        let loan = PendingLoan(deadline: deadline)
        if waiters.isEmpty, let slot = leastLoaded { lend(slot, to: loan) } else { wait(.loan(loan)) }
        let slot = try await loan.promise.value
        guard let session = slot.borrower else { preconditionFailure("lent to nobody") }
        return (slot, session)
    }

    private func lend(_ slot: PoolSlot, to loan: PendingLoan) {
        guard let connection = slot.link.connection else { preconditionFailure("lending a closed connection") }
        slot.borrower = PostgresSession(connection, latency: latency)
        loan.promise.succeed(slot)
    }

    private func giveBack(_ slot: PoolSlot, _ session: PostgresSession) {
        session.end()
        // A COPY that nobody ended.
        if slot.link.connection?.hasExchange == true { slot.link.connection?.close() }
        slot.borrower = nil
        slot.isReturning = true
        takeBack(slot)
        serveWaiters()
        if isLeaving { leaveIfIdle(slot) }
    }

    /// Shares a connection again, once what its borrower left in flight is answered.
    private func takeBack(_ slot: PoolSlot) {
        if let connection = slot.link.connection {
            guard connection.isIdle else { return }
            if !connection.isOutsideTransaction { connection.close() }
        }
        slot.isReturning = false
    }

    // MARK: Connections come and go

    private func opened(_ connection: Connection, _ slot: PoolSlot) {
        connection.onProgress = { [unowned self, unowned slot] in progressed(slot) }
        isLeaving = false
        logger.debug("postgres_connection_open", metadata: ["server_process": "\(connection.serverProcess ?? 0)"])
        if lastNews != .ready { logger.info("postgres_ready") }
        lastNews = .ready
        serveWaiters()
    }

    private func progressed(_ slot: PoolSlot) {
        if slot.isReturning { takeBack(slot) }
        serveWaiters()
        if isLeaving { leaveIfIdle(slot) }
    }

    /// Gives up the connections, each when it is idle, so that the server can end.
    private func leave() {
        guard !isLeaving, !isClosed else { return }
        isLeaving = true
        logger.notice("postgres_shuts_down")
        for slot in slots { leaveIfIdle(slot) }
    }

    private func leaveIfIdle(_ slot: PoolSlot) {
        guard !slot.isLent, let connection = slot.link.connection, connection.isIdle else { return }
        connection.close()
    }

    private func lost(_ slot: PoolSlot, _ loss: Connection.Loss, _ unanswered: [PendingQuery]) {
        if !isClosed { counters.reconnects += 1 }
        slot.isReturning = false
        if !isLeaving { logger.warning("postgres_connection_lost", metadata: ["reason": "\(loss.rawValue)"]) }
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
        if !isReady, lastNews != .unavailable {
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
        page.gauge(
            "tickloop_database_up",
            "Whether a connection to the database is open.",
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
