internal import Basics
public import Logging
package import Metrics
public import Postgres
public import Reactor

/// Tells one destination what the outbox holds for it: ``RelayMachine`` decides, this does it.
///
/// Several relays, in several processes, share the messages among them.
@ReactorActor
public final class Relay {
    /// How long one statement may take.
    private static let statementTimeout = Duration.seconds(10)
    /// How often it is looked for tables in which everything is settled.
    private static let rotationInterval = Duration.seconds(1)

    /// How long attempts took.
    let attemptTimes = Histogram(
        "tickloop_outbox_attempt_duration_seconds",
        "Time from sending a message, or looking it up, to its outcome."
    )
    /// How long claims took.
    let claimTimes = Histogram(
        "tickloop_outbox_claim_duration_seconds",
        "Time from asking the database for messages to its answer."
    )

    private let database: PostgresPool
    private let destination: any RelayDestination
    private let lease: Duration
    private let logger: Logger
    private var machine: RelayMachine
    /// The name of each generation that still has something to do.
    private var owners: [Int: String] = [:]
    private var timer: Timer?
    private var rotation: Timer?
    private let ended = Promise<Void, Never>()
    private var wasOpen = false
    private var lostRenewals = Reminder()
    private var isRotating = false

    /// - Parameter database: For the relay alone, so that its lease does not wait for somebody's long query.
    public init(
        _ database: PostgresPool,
        destination: any RelayDestination,
        limits: RelayMachine.Limits,
        logger: Logger
    ) {
        self.database = database
        self.destination = destination
        self.logger = logger
        lease = limits.lease
        machine = RelayMachine(limits: limits)
        timer = Timer { [unowned self] in perform { $0.timePassed(now: $1) } }
        rotation = Timer { [unowned self] in rotate() }
    }

    /// Figures for metrics.
    public var counters: RelayMachine.Counters { machine.counters }
    /// Messages being sent or looked up.
    var inFlight: Int { machine.inFlight }
    /// Messages that are claimed.
    var heldCount: Int { machine.heldCount }
    /// Whether attempts are stopped because the destination is dead.
    var isOpen: Bool { machine.isOpen }

    /// Begins, and goes on until ``drain(until:)``.
    public func start() {
        perform { $0.start(now: $1) }
        rotation?.scheduleRepeating(every: Self.rotationInterval)
    }

    /// Says that there is something to tell; not saying it costs time only.
    public func hint() { perform { $0.hinted(now: $1) } }

    /// Ends: claims nothing more, waits for what is under way, and settles it. What has no outcome by then is taken
    /// over by another relay.
    public func drain(until deadline: Instant) async {
        perform { $0.drain(now: $1) }
        let limit = Timer { [ended] in ended.succeed(()) }
        limit.schedule(at: deadline)
        _ = await ended.result
        limit.cancel()
        timer?.cancel()
        rotation?.cancel()
    }

    private func perform(_ event: (inout RelayMachine, Instant) -> [RelayMachine.Action]) {
        for action in event(&machine, Reactor.now) { perform(action) }
        let next = machine.nextDeadline
        if next == .distantFuture { timer?.cancel() } else { timer?.schedule(at: max(next, Reactor.now)) }
        guard machine.isOpen != wasOpen else { return }
        wasOpen = machine.isOpen
        logger.notice(
            wasOpen ? "attempts are stopped, as all of them fail" : "attempts go on",
            metadata: ["destination": "\(destination.name)"]
        )
    }

    private func perform(_ action: RelayMachine.Action) {
        switch action {
        case .enter(let generation): enter(generation)
        case .renew(let generation): renew(generation)
        case .leave(let generation): leave(generation)
        case .claim(let generation, let above, let maximum): claim(generation, above, maximum)
        case .takeOver(let generation, let maximum): takeOver(generation, maximum)
        case .send(let token, let message, let deadline): send(token, message, deadline)
        case .lookUp(let token, let message): lookUp(token, message)
        case .settle(let number, let generation, let settlements): settle(number, generation, settlements)
        case .end: ended.succeed(())
        }
    }

    private static let rotateStatement = PostgresStatement("select outbox_rotate()")

    /// Gives back the space of what is settled.
    private func rotate() {
        guard !isRotating else { return }
        isRotating = true
        ask(Self.rotateStatement, []) { [self] result in
            isRotating = false
            if case .failure(let error) = result {
                logger.debug("the outbox was not rotated", metadata: ["reason": "\(error)"])
            }
        }
    }

    // MARK: Attempts

    private func send(_ token: Int, _ message: RelayMessage, _ deadline: Instant) {
        // Looked at anew, as the process may have been stopped since the turn began.
        guard Instant.now < deadline else {
            Reactor.post { [self] in perform { $0.sent(token, nil, now: $1) } }
            return
        }
        let start = Reactor.now
        Reactor.spawn { [self] in
            let outcome = await destination.send(message, deadline: deadline)
            attemptTimes.observe(Reactor.now - start)
            perform { $0.sent(token, outcome, now: $1) }
        }
    }

    private func lookUp(_ token: Int, _ message: RelayMessage) {
        let start = Reactor.now
        Reactor.spawn { [self] in
            let outcome = await destination.lookUp(message, deadline: start + Self.statementTimeout)
            attemptTimes.observe(Reactor.now - start)
            perform { $0.lookedUp(token, outcome, now: $1) }
        }
    }

    private func settle(_ number: Int, _ generation: Int, _ settlements: [RelaySettlement]) {
        guard let owner = owners[generation] else { preconditionFailure("a generation without a name") }
        Reactor.spawn { [self] in
            let outcome = await destination.settle(settlements, owner: owner)
            perform { $0.settled(number, outcome, now: $1) }
        }
    }

    // MARK: Lease

    private static let enterStatement = PostgresStatement("select outbox_enter($1, $2)")
    private static let renewStatement = PostgresStatement("select outbox_renew($1, $2)")
    private static let leaveStatement = PostgresStatement("select outbox_leave($1)")

    private var leaseParameter: PostgresParameter { .text("\(lease.wholeMilliseconds) milliseconds") }

    private func enter(_ generation: Int) {
        let owner = Self.newName()
        // Those before are still named by what they have to settle.
        owners[generation] = owner
        ask(Self.enterStatement, [.text(owner), leaseParameter]) { [self] result in
            if case .failure(let error) = result {
                logger.debug("no lease could be begun", metadata: ["reason": "\(error)"])
            }
            perform { $0.entered(generation, succeeded: (try? result.get()) != nil, now: $1) }
        }
    }

    private func renew(_ generation: Int) {
        ask(Self.renewStatement, [.text(owners[generation] ?? ""), leaseParameter]) { [self] result in
            let renewal: RelayMachine.Renewal =
                switch result {
                case .success(let rows): rows.bool(0, 0) == true ? .held : .ended
                case .failure: .unknown
                }
            if renewal != .held, let unsaid = lostRenewals.isDue(at: Reactor.now) {
                logger.warning("the lease of the outbox could not be renewed", metadata: ["unsaid": "\(unsaid)"])
            }
            perform { $0.renewed(generation, renewal, now: $1) }
        }
    }

    private func leave(_ generation: Int) {
        ask(Self.leaveStatement, [.text(owners[generation] ?? "")]) { _ in }
    }

    /// A random UUID, for who holds a lease.
    public static func newName() -> String {
        var digits = ""
        for _ in 0..<2 {
            let part = String(UInt64.random(in: 0 ... .max), radix: 16)
            digits += String(repeating: "0", count: 16 - part.count) + part
        }
        return digits
    }

    // MARK: Claims

    private static let columns = """
        id, key, sequence_key, payload, attempts, uncertain_ms, is_final,
        (extract(epoch from clock_timestamp()) * 1000000)::bigint
        """
    private static let claimStatement = PostgresStatement("select \(columns) from outbox_claim($1, $2, $3, $4)")
    private static let takeOverStatement = PostgresStatement("select \(columns) from outbox_take_over($1, $2, $3)")

    private func claim(_ generation: Int, _ above: Int64, _ maximum: Int) {
        let parameters: [PostgresParameter] = [
            .text(destination.name), .text(owners[generation] ?? ""), .int64(above), .int64(Int64(maximum)),
        ]
        let start = Reactor.now
        ask(Self.claimStatement, parameters) { [self] result in
            claimTimes.observe(Reactor.now - start)
            let messages = messages(result, askedAt: start)
            perform { $0.claimed(generation, messages, now: $1) }
        }
    }

    private func takeOver(_ generation: Int, _ maximum: Int) {
        let parameters: [PostgresParameter] = [
            .text(destination.name), .text(owners[generation] ?? ""), .int64(Int64(maximum)),
        ]
        let start = Reactor.now
        ask(Self.takeOverStatement, parameters) { [self] result in
            let messages = messages(result, askedAt: start)
            perform { $0.tookOver(generation, messages, now: $1) }
        }
    }

    private func messages(
        _ result: Result<PostgresResult, PostgresError>,
        askedAt start: Instant
    ) -> [RelayMessage]? {
        switch result {
        case .failure(let error):
            logger.debug("nothing was claimed", metadata: ["reason": "\(error)"])
            return error.mayHaveHappened ? nil : []
        case .success(let rows):
            return (0..<rows.count).compactMap { row in
                guard let id = rows.int64(row, 0), let key = rows.text(row, 1), let payload = rows.text(row, 3),
                    let time = rows.int64(row, 7)
                else { return nil }
                var message = RelayMessage(
                    id: id,
                    isFinal: rows.bool(row, 6) ?? false,
                    key: key,
                    sequenceKey: rows.text(row, 2),
                    payload: payload,
                    attempts: Int(rows.int64(row, 4) ?? 0),
                    uncertainSince: rows.int64(row, 5).map { Reactor.now - .milliseconds($0) }
                )
                destination.prepare(&message, at: DatabaseMoment(unixTime: .microseconds(time), askedAt: start))
                return message
            }
        }
    }

    private func ask(
        _ statement: PostgresStatement,
        _ parameters: [PostgresParameter],
        then: @escaping @ReactorActor (Result<PostgresResult, PostgresError>) -> Void
    ) {
        database.query(statement, parameters, deadline: Reactor.now + Self.statementTimeout) { result in
            // Not before the caller has gone on: a refusal comes at once.
            Reactor.post { then(result) }
        }
    }
}

extension Relay: Measured {
    package func collect(into page: inout MetricsPage) {
        page.add(attemptTimes)
        page.add(claimTimes)
        page.add(counters)
        page.gauge(
            "tickloop_outbox_in_flight",
            "Messages being sent or looked up.",
            inFlight
        )
        page.gauge(
            "tickloop_outbox_held",
            "Messages that are claimed.",
            heldCount
        )
        page.add(
            .gauge("tickloop_outbox_open", "Whether attempts are stopped because all of them fail.").announced(),
            isOpen
        )
    }
}
