internal import Logging
internal import Reactor
internal import Redis
internal import RedisStreams

/// The tasks that callers of this process wait for: who shares which, what is sent again, and until when they wait.
@ReactorActor
final class WaitedTasks {
    /// How late a caller may be told that its deadline has passed; one timer serves them all.
    private static let sweepInterval = Duration.milliseconds(20)

    /// How long after it was sent a task is looked for, and how often. One that is gone in two looks was lost: the
    /// result of one that has ended is published before its entry goes.
    private static let lookInterval = Duration.milliseconds(500)
    /// How long after it was sent a task is sent again if nobody said whether it was accepted.
    private static let resendInterval = Duration.seconds(1)

    private let configuration: TaskQueueConfiguration
    private let keys: QueueKeys
    private let redis: RedisClient
    private let submitter: TaskSubmitter
    /// Where results arrive.
    private let replyChannel: String
    private let logger: Logger
    private var tasks: [TaskID: WaitedTask] = [:]
    private var sharing = SingleFlight<WaitedTask.Key, TaskID>()
    private var nextLook = Instant.now
    private lazy var sweepTimer = Timer { [unowned self] in sweep() }
    private var generator = PooledRandom()

    /// Since when Redis has been away, on either connection; nil while both are up.
    private(set) var lostAt: Instant? = Reactor.now
    /// Callers that wait now.
    private(set) var waiterCount = 0
    /// What callers were told, and what nobody waited for; the rest is the client's.
    var counters = TaskQueueClient.Counters()

    init(
        _ configuration: TaskQueueConfiguration,
        keys: QueueKeys,
        redis: RedisClient,
        submitter: TaskSubmitter,
        replyChannel: String,
        logger: Logger
    ) {
        self.configuration = configuration
        self.keys = keys
        self.redis = redis
        self.submitter = submitter
        self.replyChannel = replyChannel
        self.logger = logger
        submitter.submission = { [weak self] in self?.submission(of: $0) }
    }

    /// Fails everybody who waits.
    func close() {
        for task in Array(tasks.values) { finish(task, .failure(.unavailable(mayHaveRun: true))) }
        sweepTimer.cancel()
    }

    func makeID() -> TaskID { TaskID(unixTime: configuration.wallClock(), using: &generator) }

    // MARK: Submitting

    /// Somebody begins to wait, for a task of his own or for that of another.
    func submit(_ request: TaskRequest, _ waiter: WaitedTask.Waiter) {
        waiterCount += 1
        let task = task(for: request)
        task.add(waiter)
        task.trace(request)
        if !sweepTimer.isScheduled { sweepTimer.schedule(after: Self.sweepInterval) }
    }

    private func task(for request: TaskRequest) -> WaitedTask {
        let key = WaitedTask.Key(name: request.name, arguments: request.encodedArguments)
        switch sharing.submit(key, orBegin: makeID()) {
        case .join(let id):
            counters.joined += 1
            guard let task = tasks[id] else { preconditionFailure("a task that can be joined is known") }
            return task
        case .send(let id): return begin(id, key: key, request)
        case .wait(let id): return begin(id, key: key, request, sends: false)
        }
    }

    private func begin(
        _ id: TaskID,
        key: WaitedTask.Key,
        _ request: TaskRequest,
        sends: Bool = true
    ) -> WaitedTask {
        let task = WaitedTask(id: id, key: key, request: request)
        tasks[id] = task
        if sends { submitter.add(.waited(task)) }
        return task
    }

    /// What to send for a task, which nobody joins any more then; nil when there is nothing to send.
    private func submission(of task: WaitedTask) -> SubmitScript.Submission? {
        // Everybody may have left it while it waited.
        guard tasks[task.id] != nil else { return nil }
        var request = task.request
        request.deadline = task.deadline
        let envelope = request.envelope(id: task.id, at: configuration.wallClock(), replyKey: replyChannel)
        let text = envelope.encoded()
        guard text.count <= TaskEnvelope.limitBytes else {
            finish(task, .failure(.tooLarge))
            return nil
        }
        task.isRepeated = task.sentAt != nil
        task.sentAt = Reactor.now
        task.entry = nil
        task.isMissed = false
        sharing.sent(task.key, task.id)
        return SubmitScript.Submission(envelope: text)
    }

    /// A task was accepted, refused, or nobody knows.
    func sent(_ task: WaitedTask, _ result: Result<StreamPosition, TaskQueueError>) {
        switch result {
        case .success(let entry): task.entry = entry
        case .failure(let error):
            guard tasks[task.id] != nil else { return }
            if error.mayHaveRun {
                // The task may be in the queue, or may have been lost on the way.
                task.isUncertain = true
            } else {
                // What is refused now may have been accepted when it was sent the first time.
                finish(task, .failure(task.isRepeated ? .unavailable(mayHaveRun: true) : error))
            }
        }
    }

    // MARK: Finishing

    /// A result arrived.
    func replied(_ id: TaskID, _ encoded: Span<UInt8>) {
        guard let task = tasks[id] else {
            counters.unclaimed += 1
            return
        }
        switch TaskOutcome(encoded: encoded) {
        case .expired?: finish(task, .failure(.deadlineExceeded))
        case let outcome?: finish(task, .success(outcome))
        case nil:
            logger.error("a result cannot be read", metadata: ["task_id": "\(id)"])
            finish(task, .failure(.unavailable(mayHaveRun: true)))
        }
    }

    /// Ends a task for all who wait for it, and lets the next one of its key go.
    private func finish(_ task: WaitedTask, _ result: Result<TaskOutcome, TaskQueueError>) {
        tasks[task.id] = nil
        if task.sentAt == nil { sharing.left(task.key, task.id) } else { sendNext(after: task) }
        for waiter in task.waiters { tell(waiter, result) }
    }

    private func sendNext(after task: WaitedTask) {
        guard let next = sharing.finished(task.key, task.id), let waiting = tasks[next] else { return }
        submitter.add(.waited(waiting))
    }

    private func tell(_ waiter: WaitedTask.Waiter, _ result: Result<TaskOutcome, TaskQueueError>) {
        waiterCount -= 1
        switch result {
        case .success: counters.answered += 1
        case .failure(let error): counters.count(error)
        }
        waiter.then(result)
    }

    // MARK: Time

    private func sweep() {
        let now = Reactor.now
        let isLost = isLostForGood
        // Callers may submit again from inside their callbacks, hence the copy and the question whether it is known.
        for task in Array(tasks.values) where tasks[task.id] != nil {
            for waiter in task.removeLate(now: now) { tell(waiter, .failure(.deadlineExceeded)) }
            if task.waiters.isEmpty {
                finish(task, .failure(.deadlineExceeded))
            } else if isLost {
                finish(task, .failure(.unavailable(mayHaveRun: task.sentAt != nil)))
            } else if let sentAt = task.sentAt, !task.isOverdue,
                now - sentAt >= configuration.sharingPatience
            {
                task.isOverdue = true
                sendNext(after: task)
            }
        }
        resendDoubted(now)
        if nextLook <= now { look(now) }
        if !tasks.isEmpty { sweepTimer.schedule(after: Self.sweepInterval) }
    }

    /// Sends again what nobody said about whether it was accepted. A connection that is lost comes first: see
    /// ``connectionsChanged(areOpen:)``.
    private func resendDoubted(_ now: Instant) {
        guard lostAt == nil, submitter.isIdle else { return }
        for task in tasks.values where task.isUncertain {
            guard let sentAt = task.sentAt, now - sentAt >= Self.resendInterval else { continue }
            task.isUncertain = false
            submitter.add(.waited(task))
        }
    }

    /// Asks whether what was sent a while ago is still in the stream.
    private func look(_ now: Instant) {
        nextLook = now + Self.lookInterval
        guard lostAt == nil else { return }
        let old = tasks.values.filter { task in
            guard task.entry != nil, !task.isUncertain, let sentAt = task.sentAt else { return false }
            return now - sentAt >= Self.lookInterval
        }
        for first in stride(from: 0, to: old.count, by: LookScript.batchLimit) {
            let batch = Array(old[first..<min(first + LookScript.batchLimit, old.count)])
            let entries = batch.compactMap(\.entry)
            LookScript.run(entries, on: redis, keys: keys) { [weak self] gone in
                for index in gone { self?.missed(batch[index], entry: entries[index]) }
            }
        }
    }

    private func missed(_ task: WaitedTask, entry: StreamPosition) {
        // It may have finished, or have been sent again, since it was looked for.
        guard tasks[task.id] != nil, task.entry == entry else { return }
        guard task.isMissed else {
            task.isMissed = true
            return
        }
        logger.warning("a task was lost from the queue and is sent again", metadata: ["task_id": "\(task.id)"])
        task.entry = nil
        submitter.add(.waited(task))
    }

    // MARK: Connections

    /// Results may have been published while nobody listened.
    func distrustWhatWasSent() {
        for task in tasks.values where task.sentAt != nil { task.isUncertain = true }
    }

    /// A connection was made or lost.
    func connectionsChanged(areOpen: Bool) {
        if areOpen {
            lostAt = nil
            for task in tasks.values where task.isUncertain {
                task.isUncertain = false
                submitter.add(.waited(task))
            }
            submitter.connectionReturned()
        } else if lostAt == nil {
            lostAt = Reactor.now
        }
    }

    /// Whether Redis has been away for longer than anybody should wait for it.
    var isLostForGood: Bool { lostAt.map { Reactor.now - $0 >= configuration.lossGrace } ?? false }
}
