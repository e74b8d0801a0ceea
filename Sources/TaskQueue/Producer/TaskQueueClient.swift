public import Logging
internal import Metrics
public import Reactor
public import Redis
internal import RedisStreams
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
        private static let outcomes = Metric.counter(
            "tickloop_queue_outcomes_total",
            "What callers were told; unclaimed are results that nobody waited for any more.",
            labels: "outcome"
        )

        @Counter("tickloop_queue_submitted_total", "Tasks submitted by this process.") package var submitted = 0
        @Counter(
            "tickloop_queue_joined_total",
            "Callers who were given the task of another with the same question."
        )
        package var joined = 0
        @Counter(Self.outcomes, "answered") package var answered = 0
        @Counter(Self.outcomes, "overloaded") package var overloaded = 0
        @Counter(Self.outcomes, "unavailable") package var unavailable = 0
        @Counter(Self.outcomes, "late") package var late = 0
        @Counter(Self.outcomes, "unclaimed") package var unclaimed = 0

        mutating func count(_ error: TaskQueueError) {
            switch error {
            case .overloaded: overloaded += 1
            case .unavailable: unavailable += 1
            case .deadlineExceeded: late += 1
            case .tooLarge: break
            }
        }
    }

    /// The limits.
    public let configuration: TaskQueueConfiguration
    private let keys: QueueKeys
    private let redis: RedisClient
    private(set) lazy var sample = QueueSample(configuration, redis)
    private let replies: ReplyListener
    private let probe: WriteProbe
    private let submitter: TaskSubmitter
    private let waited: WaitedTasks

    /// Makes a client that is not connecting yet.
    public init(_ configuration: TaskQueueConfiguration, redis settings: RedisConfiguration, logger: Logger) {
        var generator = SystemRandomNumberGenerator()
        self.configuration = configuration
        keys = QueueKeys(queue: configuration.name)
        redis = RedisClient(settings, logger: logger)
        probe = WriteProbe(redis, keys: keys)
        // A name of this process alone: nobody else's old results can be waiting there.
        let name = TaskID(unixTime: Reactor.unixTime, using: &generator).description
        replies = ReplyListener(channel: keys.replyPrefix + name, settings: settings, logger: logger)
        submitter = TaskSubmitter(redis, keys: keys, limits: configuration, logger: logger)
        waited = WaitedTasks(
            configuration,
            keys: keys,
            redis: redis,
            submitter: submitter,
            replyChannel: replies.channel,
            logger: logger
        )
        // Weak: a caller may drop the client from inside its callback.
        submitter.onSent = { [weak self] in self?.sent($0, $1) }
        redis.onStateChange { [weak self] isReady in
            // What took one connection has likely taken the other, which would notice much later.
            if !isReady { self?.replies.reconnect() }
            self?.noteConnections()
        }
        replies.onReply = { [weak self] id, outcome in self?.waited.replied(id, outcome) }
        replies.onLost = { [weak self] in self?.noteConnections() }
        replies.onOpened = { [weak self] in
            self?.waited.distrustWhatWasSent()
            self?.noteConnections()
        }
    }

    private func noteConnections() { waited.connectionsChanged(areOpen: redis.isReady && replies.isOpen) }

    /// Starts connecting.
    public func start() {
        redis.start()
        replies.start()
    }

    /// Fails everybody who waits, and closes the connections.
    public func close() {
        waited.close()
        replies.close()
        redis.close()
    }

    /// Callers that wait now.
    var waiterCount: Int { waited.waiterCount }
    /// What the client has done since it was made.
    public var counters: Counters {
        var counters = waited.counters
        counters.submitted = submitter.sentCount
        return counters
    }

    /// Whether the connections are there over which tasks leave and results arrive.
    public var isReady: Bool { waited.lostAt == nil }

    /// Whether tasks can be submitted now: the connections are there, and Redis takes writes.
    ///
    /// - Parameter deadline: Until when an answer is of use; without one by then the answer is no.
    public func isReady(by deadline: Instant) async -> Bool {
        guard isReady else { return false }
        return await probe.isWritable(by: deadline)
    }

    /// The client for commands that go beside the queue.
    var commands: RedisClient { redis }

    var replyCounters: RedisCounters { replies.counters }

    // MARK: Submitting

    /// Submits a task and calls back with its outcome.
    ///
    /// The outcome is that of another caller's task with the same name and arguments, if there is one that is not sent
    /// yet: its result is as fresh as an own one.
    ///
    /// - Parameters:
    ///   - request: Must have a deadline.
    ///   - handler: Called exactly once, on the loop; before this method returns when the task is refused.
    public func submitAndWait(
        _ request: TaskRequest,
        then handler: @escaping @ReactorActor (Result<TaskOutcome, TaskQueueError>) -> Void
    ) {
        guard let deadline = request.deadline else { preconditionFailure("whoever waits has a deadline") }
        if let refusal = refusal(of: request) { return handler(.failure(refusal)) }
        guard waiterCount < configuration.waiterLimit else {
            waited.counters.overloaded += 1
            return handler(.failure(.overloaded))
        }
        waited.submit(request, WaitedTask.Waiter(deadline: deadline, then: handler))
    }

    /// Submits a task and waits for its outcome.
    public func submitAndWait(_ request: TaskRequest) async throws(TaskQueueError) -> TaskOutcome {
        let promise = Promise<TaskOutcome, TaskQueueError>()
        submitAndWait(request) { promise.settle($0) }
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
        let envelope = request.envelope(id: waited.makeID(), at: configuration.wallClock(), isTracked: isTracked)
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
        submitter.add(
            .unattended(submission) { error in
                if let error { promise.fail(error) } else { promise.succeed(()) }
            }
        )
        try await promise.value
        return envelope.id
    }

    /// Why nothing can be submitted now, if so.
    private func refusal(of request: TaskRequest) -> TaskQueueError? {
        var refusal: TaskQueueError?
        if !redis.isReady || waited.isLostForGood {
            refusal = .unavailable(mayHaveRun: false)
        } else if let deadline = request.deadline, deadline <= Reactor.now {
            refusal = .deadlineExceeded
        }
        if let refusal { waited.counters.count(refusal) }
        return refusal
    }

    private func sent(_ item: TaskSubmitter.Item, _ result: Result<StreamPosition, TaskQueueError>) {
        switch item {
        case .waited(let task): waited.sent(task, result)
        case .unattended(_, let then):
            switch result {
            case .success: then(nil)
            case .failure(let error):
                waited.counters.count(error)
                then(error)
            }
        }
    }
}
