internal import Basics
internal import HTTPClient
internal import Logging
internal import Outbox
internal import Postgres
internal import Reactor
internal import TLS

/// Takes the exchange's reports in, while it holds the lease: ``ReportMachine`` decides, this does it.
///
/// Every worker has one, and one of them at a time follows the exchange.
@ReactorActor
final class ReportFollower {
    /// How long one statement may take.
    private static let timeout = Duration.seconds(5)

    /// What is not as it should be, by kind; orders are named in the log.
    enum AlarmKind: String, CaseIterable {
        /// More is executed than was ordered.
        case overfilled
        /// Placed or executed, though it had been cancelled, rejected, or had expired.
        case ended
        /// Of an order that is not there.
        case unknownOrder = "unknown_order"
        /// Not understood, or refused by the database.
        case unusable
        /// Counted by the exchange, and not to be had.
        case missing
        /// The exchange counts anew.
        case rewound
    }

    private(set) var alarms: [AlarmKind: Int] = [:]
    /// What a snapshot said and no report had.
    private(set) var differences = 0

    let database: PostgresPool
    private let exchange: ExchangeReports
    private let logger: Logger
    private let owner = Relay.newName()
    private let lease: Duration
    private(set) var machine: ReportMachine
    private var stream: ReportStream?
    private var isPaused = false
    private var failures = Reminder()
    private var timer: Timer?
    private var isEnded = false

    /// Begins at once.
    ///
    /// - Parameter tls: Whom to trust, where the exchange is asked over https.
    convenience init(
        _ database: PostgresPool,
        exchange base: HTTPBaseURL,
        tls: TLSClientContext?,
        logger: Logger
    ) {
        self.init(database, ExchangeReports(base, tls: tls), ReportMachine.Limits(), logger: logger)
    }

    init(_ database: PostgresPool, _ exchange: ExchangeReports, _ limits: ReportMachine.Limits, logger: Logger) {
        self.database = database
        self.exchange = exchange
        self.logger = logger
        lease = limits.lease
        machine = ReportMachine(limits: limits)
        timer = Timer { [unowned self] in perform { $0.timePassed(now: $1) } }
        perform { $0.start(now: $1) }
    }

    /// Ends, and lets another go on.
    func drain() async {
        guard !isEnded else { return }
        let wasHolding = machine.isHolding
        perform { $0.drain(now: $1) }
        isEnded = true
        timer?.cancel()
        if wasHolding { _ = try? await database.query(Self.leaveStatement, [.text(owner)], deadline: deadline) }
        exchange.close()
    }

    private var deadline: Instant { Reactor.now + Self.timeout }

    // MARK: Actions

    private func perform(_ event: (inout ReportMachine, Instant) -> [ReportMachine.Action]) {
        guard !isEnded else { return }
        for action in event(&machine, Reactor.now) { perform(action) }
        if machine.isFull != isPaused {
            isPaused = machine.isFull
            stream?.setPaused(isPaused)
        }
        let next = machine.nextDeadline
        if next == .distantFuture { timer?.cancel() } else { timer?.schedule(at: max(next, Reactor.now)) }
    }

    private func perform(_ action: ReportMachine.Action) {
        switch action {
        case .lease: askForLease()
        case .open(let number, let after): open(number, after: after)
        case .close:
            stream?.close()
            stream = nil
        case .fetch(let round, let after, let count):
            Reactor.spawn { [self] in
                let reports = await exchange.reports(after: after, count: count)
                perform { $0.fetched(reports, in: round, now: $1) }
            }
        case .store(let reports, let through):
            Reactor.spawn { [self] in
                let outcome = await store(reports, through: through)
                perform { $0.stored(outcome, now: $1) }
            }
        case .compare(let round, let after):
            Reactor.spawn { [self] in
                let outcome = await compare(after: after)
                perform { $0.compared(outcome, in: round, now: $1) }
            }
        case .alarm(let alarm): tell(alarm)
        }
    }

    private func open(_ number: Int, after: Int) {
        stream?.close()
        stream = exchange.follow(after: after) { [self] lines in
            perform { $0.came(lines, on: number, now: $1) }
        } ended: { [self] in
            perform { $0.streamEnded(number, now: $1) }
        }
        isPaused = false
    }

    // MARK: Lease

    private static let leaseStatement = PostgresStatement("select lease_order_feed($1, $2)")
    private static let leaveStatement = PostgresStatement("select leave_order_feed($1)")

    private func askForLease() {
        let parameters: [PostgresParameter] = [.text(owner), .text("\(lease.wholeMilliseconds) milliseconds")]
        Reactor.spawn { [self] in
            let wasHolding = machine.isHolding
            do throws(PostgresError) {
                let result = try await database.query(Self.leaseStatement, parameters, deadline: deadline)
                let through = result.isEmpty ? nil : result.int64(0, 0)
                perform { $0.leased(through.map { .held(through: Int($0)) } ?? .taken, now: $1) }
                if let through, !wasHolding {
                    logger.info("takes in the exchange's reports", metadata: ["after": "\(through)"])
                }
            } catch {
                logger.debug("the lease of reports was not renewed", metadata: ["reason": "\(error)"])
                perform { $0.leased(.failed, now: $1) }
            }
        }
    }

    // MARK: Storing

    private static let takeStatement = PostgresStatement(
        """
        select was_held, changes, array_to_string(ended, ','), array_to_string(overfilled, ','),
            array_to_string(unknown, ',')
        from take_order_reports($1, $2, $3::bigint[], $4::uuid[], $5::text[], $6::bigint[], $7::numeric[])
        """
    )

    private func take(_ reports: [ExecutionReport], through: Int?) async -> Result<PostgresResult, PostgresError> {
        let rows = reports.compactMap { ReportRow($0) }
        let parameters: [PostgresParameter] = [
            .text(owner), through.map { .int64(Int64($0)) } ?? .null,
            .array(rows.lazy.map { String($0.number) }),
            .array(rows.lazy.map(\.order.description)),
            .arrayWithNulls(rows.lazy.map(\.execution?.id)),
            .arrayWithNulls(rows.lazy.map { row in row.execution.map { String($0.quantity) } }),
            .arrayWithNulls(rows.lazy.map(\.execution?.price)),
        ]
        do throws(PostgresError) {
            let result = try await database.query(Self.takeStatement, parameters, deadline: deadline)
            tell(.ended, result.text(0, 2), "an order that had ended was placed or executed all the same")
            tell(.overfilled, result.text(0, 3), "more of an order is executed than was ordered")
            tell(.unknownOrder, result.text(0, 4), "the exchange reports on an order that is not there")
            return .success(result)
        } catch {
            return .failure(error)
        }
    }

    private func store(_ reports: [ExecutionReport], through: Int) async -> ReportMachine.StoreOutcome {
        switch await take(reports, through: through) {
        case .success(let result): return result.bool(0, 0) == true ? .stored : .lost
        case .failure(let error):
            if let unsaid = failures.isDue(at: Reactor.now) {
                logger.warning(
                    "reports of the exchange were not stored",
                    metadata: ["reason": "\(error)", "reports": "\(reports.count)", "unsaid": "\(unsaid)"]
                )
            }
            switch error {
            // Class 22 is a value that cannot be, class 23 one that a table does not take.
            case .server(let error) where ["22", "23"].contains(error.sqlState.code.prefix(2)): return .refused
            case .unencodable: return .refused
            case .server, .unavailable, .overloaded, .timedOut, .connectionLost: return .failed
            }
        }
    }

    /// Takes a page of the snapshot in, as far as its reports should have been stored already.
    private func compare(after number: Int) async -> ReportMachine.CompareOutcome {
        guard let (page, next) = await exchange.executions(after: number) else { return .failed }
        let due = page.filter { $0.number <= machine.through }
        guard !due.isEmpty else { return .compared(next: next) }
        guard case .success(let result) = await take(due, through: nil), result.bool(0, 0) == true else {
            return .failed
        }
        let changes = Int(result.int64(0, 1) ?? 0)
        if changes > 0 {
            differences += changes
            logger.warning(
                "the exchange's snapshot had what no report said",
                metadata: ["events": "\(changes)", "after": "\(number)"]
            )
        }
        return .compared(next: next)
    }

    // MARK: Alarms

    private func tell(_ kind: AlarmKind, _ orders: String?, _ message: Logger.Message) {
        for order in (orders ?? "").split(separator: ",") {
            alarms[kind, default: 0] += 1
            logger.error(message, metadata: ["order": "\(order)"])
        }
    }

    private func tell(_ alarm: ReportMachine.Alarm) {
        switch alarm {
        case .missing(let after, let count):
            alarms[.missing, default: 0] += count
            logger.error(
                "the exchange does not have reports that it counted",
                metadata: ["after": "\(after)", "reports": "\(count)"]
            )
        case .unusable(let number):
            alarms[.unusable, default: 0] += 1
            logger.error("a report of the exchange cannot be used", metadata: ["number": "\(number)"])
        case .rewound(let from, let to):
            alarms[.rewound, default: 0] += 1
            logger.error(
                "the exchange counts its reports anew; all are read again",
                metadata: ["stored": "\(from)", "last": "\(to)"]
            )
        }
    }
}

/// A report as the database is given it.
private struct ReportRow {
    let number: Int
    let order: OrderID
    let execution: ExecutionReport.Execution?

    init?(_ report: ExecutionReport) {
        number = report.number
        switch report.content {
        case .accepted(let order): (self.order, execution) = (order, nil)
        case .execution(let order, let execution): (self.order, self.execution) = (order, execution)
        case .unusable: return nil
        }
    }
}
