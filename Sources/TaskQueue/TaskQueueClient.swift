internal import JSONWire
public import Logging
public import Reactor
public import Redis
internal import Tracing

/// Hands tasks to workers and waits for their results.
///
/// ```swift
/// let queue = TaskQueueClient(configuration, redis: redisConfiguration, logger: logger)
/// queue.start()
/// let request = TaskRequest(name: "prices.average", arguments: ["start_date": "2025-01-06"], deadline: deadline)
/// switch try await queue.submitAndWait(request) {
/// case .success(let json): …
/// case .failure(let failure): …
/// case .expired: …
/// }
/// ```
///
/// - The tasks of one turn of the loop are sent in one call.
/// - Callers who want the same at the same time share one task; see ``SingleFlight`` for what "the same time" may mean.
/// - Everything is bounded: tasks in the queue, callers that wait, and how long they wait.
/// - While Redis is away, submissions fail at once; callers whose task was sent wait for
///   ``TaskQueueConfiguration/lossGrace`` for its return, because the result may well arrive.
@ReactorActor
public final class TaskQueueClient {
    /// What the client has done since it was made.
    public struct Counters: Sendable, Equatable {
        /// Tasks sent.
        public var submitted = 0
        /// Callers who were given the task of another.
        public var joined = 0
        /// Callers who got an outcome.
        public var answered = 0
        /// Callers who were refused because something was full.
        public var overloaded = 0
        /// Callers who failed because Redis was away.
        public var unavailable = 0
        /// Callers who waited until their deadline.
        public var late = 0
        /// Outcomes that nobody waited for any more.
        public var unclaimed = 0
    }

    /// A task that leaves at the end of the turn.
    private enum Departure {
        case flight(Flight)
        case unattended(SubmitScript.Submission, then: (TaskQueueError?) -> Void)
    }

    /// How late a caller may be told that its deadline has passed; one timer serves them all.
    private static let sweepInterval = Duration.milliseconds(20)

    /// The limits.
    public let configuration: TaskQueueConfiguration
    private let keys: QueueKeys
    private let redis: RedisClient
    private let logger: Logger
    private let replies: ReplyReader
    private var departures: [Departure] = []
    private lazy var departureTime = EndOfTurn { [weak self] in self?.depart() }
    private var flights: [TaskID: Flight] = [:]
    private var sharing = SingleFlight<Flight.Key, TaskID>()
    private lazy var sweepTimer = Timer { [unowned self] in sweep() }
    private var generator = PooledRandom()
    /// Since when Redis has been away, on either connection; nil while both are up.
    private var lostAt: Instant?

    /// Callers that wait now.
    public private(set) var waiterCount = 0
    /// What the client has done since it was made.
    public private(set) var counters = Counters()

    /// Makes a client that is not connecting yet.
    public init(_ configuration: TaskQueueConfiguration, redis settings: RedisConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        keys = QueueKeys(queue: configuration.name)
        redis = RedisClient(settings, logger: logger)
        // A name of this process alone: nobody else's old results can be waiting there.
        let name = TaskID(unixTime: Reactor.unixTime, using: &generator).description
        replies = ReplyReader(key: keys.replyPrefix + name, redis: redis, settings: settings, logger: logger)
        // Weak: a caller may drop the client from inside its callback.
        replies.onReply = { [weak self] id, outcome in self?.replied(id, outcome) }
        lostAt = Reactor.now
        redis.onStateChange { [weak self] _ in self?.noteConnections() }
        replies.onStateChange { [weak self] in self?.noteConnections() }
    }

    /// Starts connecting.
    public func start() {
        redis.start()
        replies.start()
    }

    /// Fails everybody who waits, and closes the connections.
    public func close() {
        for flight in Array(flights.values) { land(flight, .failure(.unavailable(mayHaveRun: true))) }
        replies.close()
        redis.close()
        sweepTimer.cancel()
    }

    /// Whether tasks can be submitted and results can arrive.
    public var isReady: Bool { lostAt == nil }

    /// The client for commands that go beside the queue.
    public var commands: RedisClient { redis }

    /// What the connection that reads results has done.
    public var replyCounters: RedisCounters { replies.counters }

    // MARK: Submitting

    /// Submits a task and calls back with its outcome.
    ///
    /// - Parameters:
    ///   - request: Must have a deadline.
    ///   - isShared: Whether the outcome of another caller's task with the same name and arguments will do, if it was
    ///     submitted, but not sent, before. Its result is then as fresh as an own one.
    ///   - handler: Called exactly once, on the loop; before this method returns when the task is refused.
    public func submitAndWait(
        _ request: TaskRequest,
        isShared: Bool = true,
        then handler: @escaping @ReactorActor (Result<TaskOutcome, TaskQueueError>) -> Void
    ) {
        guard let deadline = request.deadline else { preconditionFailure("whoever waits has a deadline") }
        if let refusal = refusal(of: request) { return handler(.failure(refusal)) }
        guard waiterCount < configuration.waiterLimit else {
            counters.overloaded += 1
            return handler(.failure(.overloaded))
        }
        waiterCount += 1
        let flight = isShared ? sharedFlight(for: request) : openFlight(for: request)
        flight.take(Flight.Passenger(deadline: deadline, then: handler))
        flight.trace(request)
        if !sweepTimer.isScheduled { sweepTimer.schedule(after: Self.sweepInterval) }
    }

    /// Submits a task and waits for its outcome.
    public func submitAndWait(
        _ request: TaskRequest,
        isShared: Bool = true
    ) async throws(TaskQueueError) -> TaskOutcome {
        let promise = Promise<TaskOutcome, TaskQueueError>()
        submitAndWait(request, isShared: isShared) { promise.settle($0) }
        return try await promise.value
    }

    /// Submits a task whose state can be asked for with ``status(of:)``; it is retried when it fails.
    ///
    /// - Returns: Its id, once the task is in the queue.
    public func submitTracked(_ request: TaskRequest) async throws(TaskQueueError) -> TaskID {
        try await submitUnattended(request, isTracked: true)
    }

    /// Submits a task that nobody asks about; it is retried when it fails.
    ///
    /// - Returns: Its id, once the task is in the queue.
    @discardableResult
    public func submit(_ request: TaskRequest) async throws(TaskQueueError) -> TaskID {
        try await submitUnattended(request, isTracked: false)
    }

    /// How far a tracked task is; nil when there is none of this id, or its state has expired.
    public func status(of id: TaskID) async throws(TaskQueueError) -> TaskStatus? {
        do {
            let reply = try await redis.command(["HGETALL", .string(keys.task(id))])
            return reply.fields.flatMap { TaskStatus(id: id, fields: $0) }
        } catch {
            throw .unavailable(mayHaveRun: false)
        }
    }

    private func submitUnattended(_ request: TaskRequest, isTracked: Bool) async throws(TaskQueueError) -> TaskID {
        if let refusal = refusal(of: request) { throw refusal }
        let envelope = request.envelope(id: makeID(), isTracked: isTracked)
        request.span?.set("messaging.message.id", .text(envelope.id.description))
        let text = envelope.encoded()
        guard text.count <= TaskEnvelope.limitBytes else { throw .tooLarge }
        let unfinished = request.deadline.map { max(.zero, $0 - Reactor.now) + configuration.resultTimeToLive }
        let submission = SubmitScript.Submission(
            id: envelope.id,
            name: envelope.name,
            envelope: text,
            createdAtMilliseconds: envelope.createdAtMilliseconds,
            stateTimeToLive: isTracked ? unfinished ?? TaskQueueConfiguration.unfinishedTimeToLive : nil
        )
        let promise = Promise<Void, TaskQueueError>()
        departures.append(
            .unattended(submission) { error in
                if let error { promise.fail(error) } else { promise.succeed(()) }
            }
        )
        departureTime.schedule()
        try await promise.value
        return envelope.id
    }

    /// Why nothing can be submitted now, if so.
    private func refusal(of request: TaskRequest) -> TaskQueueError? {
        guard redis.isReady, !isLostForGood else {
            counters.unavailable += 1
            return .unavailable(mayHaveRun: false)
        }
        if let deadline = request.deadline, deadline <= Reactor.now {
            counters.late += 1
            return .deadlineExceeded
        }
        return nil
    }

    private func makeID() -> TaskID { TaskID(unixTime: Reactor.unixTime, using: &generator) }

    // MARK: Flights

    private func openFlight(for request: TaskRequest) -> Flight {
        let flight = Flight(id: makeID(), key: nil, request: request, encodedArguments: request.arguments.encoded)
        flights[flight.id] = flight
        schedule(flight)
        return flight
    }

    private func sharedFlight(for request: TaskRequest) -> Flight {
        let encoded = request.arguments.encoded
        let key = Flight.Key(name: request.name, arguments: String(decoding: encoded, as: UTF8.self))
        let (boarding, id) = sharing.board(key, orOpen: makeID())
        switch boarding {
        case .joins:
            counters.joined += 1
            guard let flight = flights[id] else { preconditionFailure("a boarding flight is known") }
            return flight
        case .departs, .waits:
            let flight = Flight(id: id, key: key, request: request, encodedArguments: encoded)
            flights[id] = flight
            if boarding == .departs { schedule(flight) }
            return flight
        }
    }

    private func schedule(_ flight: Flight) {
        departures.append(.flight(flight))
        departureTime.schedule()
    }

    /// Sends what has gathered in this turn.
    private func depart() {
        let all = departures
        departures.removeAll(keepingCapacity: true)
        for first in stride(from: 0, to: all.count, by: SubmitScript.batchLimit) {
            send(all[first..<min(first + SubmitScript.batchLimit, all.count)])
        }
    }

    private func send(_ batch: ArraySlice<Departure>) {
        var submissions: [SubmitScript.Submission] = []
        var sent: [Departure] = []
        for departure in batch {
            switch departure {
            case .unattended(let submission, _):
                submissions.append(submission)
            case .flight(let flight):
                // Everybody may have left it while it waited for the one before.
                guard flights[flight.id] != nil else { continue }
                guard let submission = submission(of: flight) else {
                    land(flight, .failure(.tooLarge))
                    continue
                }
                submissions.append(submission)
                flight.departure = Reactor.now
                if let key = flight.key { sharing.departed(key, flight.id) }
            }
            sent.append(departure)
        }
        guard !submissions.isEmpty else { return }
        counters.submitted += submissions.count
        SubmitScript.run(submissions, on: redis, keys: keys, depthLimit: configuration.depthLimit) {
            [weak self] result in self?.submitted(sent, result)
        }
    }

    private func submission(of flight: Flight) -> SubmitScript.Submission? {
        var request = flight.request
        request.deadline = flight.deadline
        let envelope = request.envelope(id: flight.id, replyKey: replies.key)
        let text = envelope.encoded(encodedArguments: flight.encodedArguments)
        guard text.count <= TaskEnvelope.limitBytes else { return nil }
        return SubmitScript.Submission(
            id: flight.id,
            name: request.name,
            envelope: text,
            createdAtMilliseconds: envelope.createdAtMilliseconds,
            stateTimeToLive: nil
        )
    }

    private func submitted(_ sent: [Departure], _ result: Result<Int, RedisError>) {
        switch result {
        case .success(let accepted):
            for (index, departure) in sent.enumerated() { settle(departure, index < accepted ? nil : .overloaded) }
        case .failure(let error):
            logger.warning("submitting tasks failed", metadata: ["error": "\(error)", "tasks": "\(sent.count)"])
            for departure in sent { settle(departure, .unavailable(mayHaveRun: error.mayHaveHappened)) }
        }
    }

    private func settle(_ departure: Departure, _ error: TaskQueueError?) {
        switch departure {
        case .unattended(_, let then):
            switch error {
            case .overloaded?: counters.overloaded += 1
            case .unavailable?: counters.unavailable += 1
            case .deadlineExceeded?, .tooLarge?, nil: break
            }
            then(error)
        case .flight(let flight):
            guard let error, flights[flight.id] != nil else { return }
            guard error.mayHaveRun else { return land(flight, .failure(error)) }
            // The task may be in the queue, or may have been lost on the way: whoever waits goes on waiting, and it is
            // sent again, under the same id, when Redis is back. Twice in the queue it is run twice and answered once.
            flight.isUncertain = true
        }
    }

    private func replied(_ id: TaskID, _ encoded: Span<UInt8>) {
        guard let flight = flights[id] else {
            counters.unclaimed += 1
            return
        }
        switch TaskOutcome(encoded: encoded) {
        case .expired?: land(flight, .failure(.deadlineExceeded))
        case let outcome?: land(flight, .success(outcome))
        case nil:
            logger.error("a result cannot be read", metadata: ["task_id": "\(id)"])
            land(flight, .failure(.unavailable(mayHaveRun: true)))
        }
    }

    /// Ends a flight for all its passengers, and lets the next one of its key go.
    private func land(_ flight: Flight, _ result: Result<TaskOutcome, TaskQueueError>) {
        flights[flight.id] = nil
        if let key = flight.key {
            if flight.departure == nil { sharing.abandoned(key, flight.id) } else { release(key, flight) }
        }
        for passenger in flight.passengers { tell(passenger, result) }
    }

    private func release(_ key: Flight.Key, _ flight: Flight) {
        guard let next = sharing.landed(key, flight.id), let waiting = flights[next] else { return }
        schedule(waiting)
    }

    private func tell(_ passenger: Flight.Passenger, _ result: Result<TaskOutcome, TaskQueueError>) {
        waiterCount -= 1
        switch result {
        case .success: counters.answered += 1
        case .failure(.overloaded): counters.overloaded += 1
        case .failure(.unavailable): counters.unavailable += 1
        case .failure(.deadlineExceeded): counters.late += 1
        case .failure(.tooLarge): break
        }
        passenger.then(result)
    }

    // MARK: Time

    private func sweep() {
        let now = Reactor.now
        let isLost = isLostForGood
        // Callers may submit again from inside their callbacks, hence the copy and the question whether it still flies.
        for flight in Array(flights.values) where flights[flight.id] != nil {
            for passenger in flight.removeLate(now: now) { tell(passenger, .failure(.deadlineExceeded)) }
            if flight.passengers.isEmpty {
                land(flight, .failure(.deadlineExceeded))
            } else if isLost {
                land(flight, .failure(.unavailable(mayHaveRun: flight.departure != nil)))
            } else if let key = flight.key, let departure = flight.departure, !flight.isOverdue,
                now - departure >= configuration.sharingPatience
            {
                flight.isOverdue = true
                release(key, flight)
            }
        }
        if !flights.isEmpty { sweepTimer.schedule(after: Self.sweepInterval) }
    }

    private func noteConnections() {
        if redis.isReady, replies.isConnected {
            lostAt = nil
            for flight in flights.values where flight.isUncertain {
                flight.isUncertain = false
                schedule(flight)
            }
        } else if lostAt == nil {
            lostAt = Reactor.now
        }
    }

    /// Whether Redis has been away for longer than anybody should wait for it.
    private var isLostForGood: Bool { lostAt.map { Reactor.now - $0 >= configuration.lossGrace } ?? false }
}
