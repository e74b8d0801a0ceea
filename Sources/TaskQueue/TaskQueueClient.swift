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
/// - The tasks of one turn of the loop are sent in one call, and those that come while a call is unanswered in the
///   next. So calls grow with the load, and while there is none, nothing waits.
/// - Callers who want the same at the same time share one task; see ``SingleFlight`` for what "the same time" may mean.
/// - Everything is bounded: tasks in the queue, callers that wait, and how long they wait.
/// - While Redis is away, or takes no writes, submissions fail at once; callers whose task was accepted wait for its
///   return, for ``TaskQueueConfiguration/lossGrace``. Then their tasks are sent again, because task or result may be
///   lost. Twice in the queue a task is run twice and answered once.
/// - The client looks again and again whether what it waits for is still in the stream, and sends again what is not:
///   somebody may have emptied Redis without any connection noticing.
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

    /// How long after it was sent a task is looked for, and how often. One that is gone in two looks was lost: the
    /// result of one that has ended is published before its entry goes.
    private static let lookInterval = Duration.milliseconds(500)
    /// How long after it was sent a task is sent again if nobody said whether it was accepted.
    private static let resendInterval = Duration.seconds(1)

    /// The limits.
    public let configuration: TaskQueueConfiguration
    private let keys: QueueKeys
    private let redis: RedisClient
    private let logger: Logger
    private let replies: ReplyListener
    private let probe: WriteProbe
    private var nextLook = Instant.now
    private var departures: [Departure] = []
    private var unansweredCalls = 0
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
        probe = WriteProbe(redis, keys: keys)
        // A name of this process alone: nobody else's old results can be waiting there.
        let name = TaskID(unixTime: Reactor.unixTime, using: &generator).description
        replies = ReplyListener(channel: keys.replyPrefix + name, settings: settings, logger: logger)
        lostAt = Reactor.now
        // Weak: a caller may drop the client from inside its callback.
        redis.onStateChange { [weak self] isReady in
            // What took one connection has likely taken the other, which would notice much later.
            if !isReady { self?.replies.reconnect() }
            self?.noteConnections()
        }
        replies.onReply = { [weak self] id, outcome in self?.replied(id, outcome) }
        replies.onLost = { [weak self] in self?.noteConnections() }
        replies.onOpened = { [weak self] in
            self?.distrustWhatWasSent()
            self?.noteConnections()
        }
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

    /// Whether the connections are there over which tasks leave and results arrive.
    public var isReady: Bool { lostAt == nil }

    /// Whether tasks can be submitted now: the connections are there, and Redis takes writes.
    ///
    /// - Parameter deadline: Until when an answer is of use; without one by then the answer is no.
    public func isReady(by deadline: Instant) async -> Bool {
        guard isReady else { return false }
        return await probe.isWritable(by: deadline)
    }

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
        let envelope = request.envelope(id: makeID(), at: configuration.wallClock(), isTracked: isTracked)
        request.span?.set("messaging.message.id", .text(envelope.id.description))
        let text = envelope.encoded()
        guard text.count <= TaskEnvelope.limitBytes else { throw .tooLarge }
        let unfinished = request.deadline.map { max(.zero, $0 - Reactor.now) + configuration.resultTimeToLive }
        let state = SubmitScript.State(
            id: envelope.id,
            name: envelope.name,
            createdAtMilliseconds: envelope.createdAtMilliseconds,
            timeToLive: unfinished ?? TaskQueueConfiguration.unfinishedTimeToLive
        )
        let submission = SubmitScript.Submission(envelope: text, state: isTracked ? state : nil)
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

    private func makeID() -> TaskID { TaskID(unixTime: configuration.wallClock(), using: &generator) }

    // MARK: Flights

    private func openFlight(for request: TaskRequest) -> Flight {
        let flight = Flight(id: makeID(), key: nil, request: request)
        flights[flight.id] = flight
        schedule(flight)
        return flight
    }

    private func sharedFlight(for request: TaskRequest) -> Flight {
        let key = Flight.Key(name: request.name, arguments: request.encodedArguments)
        let (boarding, id) = sharing.board(key, orOpen: makeID())
        switch boarding {
        case .joins:
            counters.joined += 1
            guard let flight = flights[id] else { preconditionFailure("a boarding flight is known") }
            return flight
        case .departs, .waits:
            let flight = Flight(id: id, key: key, request: request)
            flights[id] = flight
            if boarding == .departs { schedule(flight) }
            return flight
        }
    }

    private func schedule(_ flight: Flight) {
        departures.append(.flight(flight))
        departureTime.schedule()
    }

    /// Sends what has gathered, unless a call is unanswered: then more gathers until it is.
    private func depart() {
        guard unansweredCalls == 0 else { return }
        var all: [Departure] = []
        swap(&all, &departures)
        guard redis.isReady else { return postpone(all) }
        for first in stride(from: 0, to: all.count, by: SubmitScript.batchLimit) {
            send(all[first..<min(first + SubmitScript.batchLimit, all.count)])
        }
    }

    private func send(_ batch: ArraySlice<Departure>) {
        var plain: [(Departure, SubmitScript.Submission)] = []
        var tracked: [(Departure, SubmitScript.Submission)] = []
        for departure in batch {
            switch departure {
            case .unattended(let submission, _) where submission.state != nil: tracked.append((departure, submission))
            case .unattended(let submission, _): plain.append((departure, submission))
            case .flight(let flight):
                if let submission = board(flight) { plain.append((departure, submission)) }
            }
        }
        let sent = plain + tracked
        guard !sent.isEmpty else { return }
        counters.submitted += sent.count
        unansweredCalls += 1
        SubmitScript.run(sent.map(\.1), on: redis, keys: keys, limits: configuration) {
            [weak self] result in self?.submitted(sent.map(\.0), result)
        }
    }

    /// What to send for a flight, which has departed then; nil when there is nothing to send.
    private func board(_ flight: Flight) -> SubmitScript.Submission? {
        // Everybody may have left it while it waited.
        guard flights[flight.id] != nil else { return nil }
        var request = flight.request
        request.deadline = flight.deadline
        let envelope = request.envelope(id: flight.id, at: configuration.wallClock(), replyKey: replies.channel)
        let text = envelope.encoded()
        guard text.count <= TaskEnvelope.limitBytes else {
            land(flight, .failure(.tooLarge))
            return nil
        }
        flight.isRepeated = flight.departure != nil
        flight.departure = Reactor.now
        flight.entry = nil
        flight.isMissed = false
        if let key = flight.key { sharing.departed(key, flight.id) }
        return SubmitScript.Submission(envelope: text)
    }

    /// The connection broke while these gathered: callers who wait may wait for its return, the others are told.
    private func postpone(_ all: [Departure]) {
        for departure in all {
            switch departure {
            case .flight: departures.append(departure)
            case .unattended: settle(departure, .unavailable(mayHaveRun: false))
            }
        }
    }

    private func submitted(_ sent: [Departure], _ result: Result<[StreamEntryID], RedisError>) {
        unansweredCalls -= 1
        if unansweredCalls == 0, !departures.isEmpty { departureTime.schedule() }
        switch result {
        case .success(let accepted):
            for (index, departure) in sent.enumerated() {
                guard index < accepted.count else {
                    settle(departure, .overloaded)
                    continue
                }
                if case .flight(let flight) = departure { flight.entry = accepted[index] }
                settle(departure, nil)
            }
        case .failure(let error):
            logger.warning("submitting tasks failed", metadata: ["error": "\(error)", "tasks": "\(sent.count)"])
            // The script writes all or nothing.
            let isRefused = if case .refused = error { true } else { false }
            for departure in sent {
                settle(departure, .unavailable(mayHaveRun: error.mayHaveHappened && !isRefused))
            }
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
            if error.mayHaveRun {
                // The task may be in the queue, or may have been lost on the way.
                flight.isUncertain = true
            } else {
                // What is refused now may have been accepted when it was sent the first time.
                land(flight, .failure(flight.isRepeated ? .unavailable(mayHaveRun: true) : error))
            }
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
        resendDoubted(now)
        if nextLook <= now { look(now) }
        if !flights.isEmpty { sweepTimer.schedule(after: Self.sweepInterval) }
    }

    /// Sends again what nobody said about whether it was accepted. A connection that is lost comes first: see
    /// `noteConnections`.
    private func resendDoubted(_ now: Instant) {
        guard lostAt == nil, unansweredCalls == 0 else { return }
        for flight in flights.values where flight.isUncertain {
            guard let departure = flight.departure, now - departure >= Self.resendInterval else { continue }
            flight.isUncertain = false
            schedule(flight)
        }
    }

    /// Asks whether what has been under way for a while is still in the stream.
    private func look(_ now: Instant) {
        nextLook = now + Self.lookInterval
        guard lostAt == nil else { return }
        let old = flights.values.filter { flight in
            guard flight.entry != nil, !flight.isUncertain, let departure = flight.departure else { return false }
            return now - departure >= Self.lookInterval
        }
        for first in stride(from: 0, to: old.count, by: LookScript.batchLimit) {
            let batch = Array(old[first..<min(first + LookScript.batchLimit, old.count)])
            let entries = batch.compactMap(\.entry)
            LookScript.run(entries, on: redis, keys: keys) { [weak self] gone in
                for index in gone { self?.missed(batch[index], entry: entries[index]) }
            }
        }
    }

    private func missed(_ flight: Flight, entry: StreamEntryID) {
        // It may have landed, or have been sent again, since it was looked for.
        guard flights[flight.id] != nil, flight.entry == entry else { return }
        guard flight.isMissed else {
            flight.isMissed = true
            return
        }
        logger.warning("a task was lost from the queue and is sent again", metadata: ["task_id": "\(flight.id)"])
        flight.entry = nil
        schedule(flight)
    }

    /// Results may have been published while nobody listened.
    private func distrustWhatWasSent() {
        for flight in flights.values where flight.departure != nil { flight.isUncertain = true }
    }

    private func noteConnections() {
        if redis.isReady, replies.isOpen {
            lostAt = nil
            for flight in flights.values where flight.isUncertain {
                flight.isUncertain = false
                schedule(flight)
            }
            if !departures.isEmpty { departureTime.schedule() }
        } else if lostAt == nil {
            lostAt = Reactor.now
        }
    }

    /// Whether Redis has been away for longer than anybody should wait for it.
    private var isLostForGood: Bool { lostAt.map { Reactor.now - $0 >= configuration.lossGrace } ?? false }
}
