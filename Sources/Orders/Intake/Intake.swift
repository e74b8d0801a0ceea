internal import JSONWire
internal import Logging
internal import Metrics
internal import Postgres
internal import Reactor

/// Takes orders in: commits them, many at once under load, and tells each request what became of it.
///
/// An order that is `created` is committed, and so is the message that has it placed at the exchange. Nothing is
/// answered before; what is not known to be committed is `failed`.
@ReactorActor
final class Intake {
    /// The most that a commit may take until its outcome counts as unknown. The server's own limit ends it before.
    private static let commitTimeout = Duration.seconds(10)

    /// What the intake has done, for metrics.
    struct Counters: Hashable, Sendable {
        private static let untaken = Metric.counter(
            "tickloop_orders_not_taken_total",
            "Requests that are no new order: answered with that of an earlier request, refused, or failed.",
            labels: "reason"
        )

        @Counter(
            "tickloop_orders_commits_total",
            "Commits of the intake that had an outcome; each is for one or many orders."
        )
        var commits = 0
        @Counter("tickloop_orders_taken_total", "Orders that were committed, each a 201.") var committedOrders = 0
        @Counter(Self.untaken, "replayed") var replayed = 0
        @Counter(Self.untaken, "refused") var refused = 0
        @Counter(Self.untaken, "failed") var failed = 0
    }

    let commitTimes = Histogram(
        "tickloop_orders_commit_duration_seconds",
        "From sending a commit of the intake to its outcome."
    )
    private(set) var counters = Counters()
    /// Called after each commit that has an order in it: there is something to place.
    var onCommitted: @ReactorActor () -> Void = {}

    private let database: PostgresPool
    private let logger: Logger
    private var machine = IntakeMachine()
    private var requests: [Int: @ReactorActor (IntakeAnswer) -> Void] = [:]
    private var requestsBegun = 0
    private var ids = OrderIDSource()
    private var random = SystemRandomNumberGenerator()
    private var failures = Reminder()
    private var endOfTurn: EndOfTurn?
    private var deadlines: DeadlineTimer?

    /// - Parameter database: For the intake alone, with a connection for each commit that may be under way.
    init(_ database: PostgresPool, logger: Logger) {
        self.database = database
        self.logger = logger
        endOfTurn = EndOfTurn { [unowned self] in perform(machine.turnEnded(now: Reactor.now)) }
        deadlines = DeadlineTimer { [unowned self] in deadlinePassed() }
    }

    /// Requests that have no answer yet.
    var requestCount: Int { machine.requestCount }

    /// Offers an order, and waits for what becomes of it.
    func take(
        _ form: OrderForm,
        owner: String? = nil,
        key: String? = nil,
        deadline: Instant
    ) async -> IntakeAnswer {
        let promise = Promise<IntakeAnswer, Never>()
        requestsBegun += 1
        requests[requestsBegun] = { promise.succeed($0) }
        let order = OfferedOrder(
            number: requestsBegun,
            id: ids.next(unixTime: Reactor.unixTime, using: &random),
            form: form,
            owner: owner,
            key: key.map { OfferedOrder.Key(owner: owner, text: $0) },
            deadline: deadline
        )
        deadlines?.fire(noLaterThan: deadline)
        perform(machine.offered(order))
        endOfTurn?.schedule()
        switch await promise.result {
        case .success(let answer): return answer
        }
    }

    private func deadlinePassed() {
        perform(machine.deadlinesPassed(now: Reactor.now))
        if let next = machine.nextDeadline { deadlines?.fire(noLaterThan: next) }
    }

    private func perform(_ actions: [IntakeMachine.Action]) {
        for action in actions {
            switch action {
            case .commit(let number, let orders): commit(number, orders)
            case .answer(let number, let answer): tell(number, answer)
            }
        }
    }

    private func tell(_ number: Int, _ answer: IntakeAnswer) {
        switch answer {
        case .created: break
        case .replayed: counters.replayed += 1
        case .refused: counters.refused += 1
        case .failed: counters.failed += 1
        case .otherMembers, .past, .firstStillRuns: break
        }
        requests.removeValue(forKey: number)?(answer)
    }

    // MARK: Commits

    private static let submit = PostgresStatement(
        """
        select verdict, order_id
        from submit_orders(
            $1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::bigint[],
            $8::timestamptz[], $9::text[], $10::text[]
        )
        """
    )

    private func commit(_ number: Int, _ orders: [OfferedOrder]) {
        let start = Reactor.now
        let parameters: [PostgresParameter] = [
            .array(orders.lazy.map(\.id.description)),
            .array(orders.lazy.map(\.id.createdAt.description)),
            .array(orders.lazy.map(\.form.kind.rawValue)),
            .array(orders.lazy.map(\.form.side.rawValue)),
            .array(orders.lazy.map(\.form.instrument)),
            .arrayWithNulls(orders.lazy.map(\.form.limitPrice?.description)),
            .array(orders.lazy.map { String($0.form.quantity) }),
            .arrayWithNulls(orders.lazy.map(\.form.expiresAt?.description)),
            .arrayWithNulls(orders.lazy.map(\.owner)),
            .arrayWithNulls(orders.lazy.map(\.key?.text)),
        ]
        database.query(Self.submit, parameters, deadline: start + Self.commitTimeout) { [self] result in
            commitTimes.observe(Reactor.now - start)
            switch result.map({ Self.verdicts($0, count: orders.count) }) {
            case .success(let verdicts?):
                let created = verdicts.count { $0 == .created }
                counters.commits += 1
                counters.committedOrders += created
                perform(machine.committed(number, verdicts, now: Reactor.now))
                if created > 0 { onCommitted() }
            case .success(nil):
                logger.error("orders were committed with verdicts that cannot be read")
                perform(machine.failed(number, .other, now: Reactor.now))
            case .failure(let error):
                if let unsaid = failures.isDue(at: Reactor.now) {
                    logger.warning(
                        "orders were not committed",
                        metadata: ["reason": "\(error)", "orders": "\(orders.count)", "unsaid": "\(unsaid)"]
                    )
                }
                perform(machine.failed(number, CommitFailure(error), now: Reactor.now))
            }
        }
    }

    private static func verdicts(_ result: PostgresResult, count: Int) -> [IntakeVerdict]? {
        guard result.count == count else { return nil }
        var verdicts: [IntakeVerdict] = []
        for row in 0..<result.count {
            switch result.text(row, 0) {
            case "created": verdicts.append(.created)
            case "replayed":
                guard let id = result.text(row, 1).flatMap({ OrderID($0) }) else { return nil }
                verdicts.append(.replayed(id))
            case "conflict": verdicts.append(.otherMembers)
            case "past": verdicts.append(.past)
            default: return nil
            }
        }
        return verdicts
    }
}

extension CommitFailure {
    /// Class 22 is a value that cannot be, class 23 one that the table does not take.
    fileprivate init(_ error: PostgresError) {
        switch error {
        case .server(let error) where error.sqlState.code.hasPrefix("22") || error.sqlState.code.hasPrefix("23"):
            self = .data
        case .unencodable: self = .data
        case .server, .unavailable, .overloaded, .timedOut, .connectionLost: self = .other
        }
    }
}
