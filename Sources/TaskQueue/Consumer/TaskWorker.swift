public import Logging
internal import Metrics
public import Reactor
public import Redis
internal import RedisStreams
public import Tracing

/// Takes tasks from a queue and runs them, many at once, on the loop.
///
/// ```swift
/// let worker = TaskWorker(configuration, redis: redisConfiguration, logger: logger)
/// worker.register("prices.average", averages)
/// worker.start()
/// …
/// await worker.drain(within: .seconds(10))
/// ```
///
/// - Every task is run at least once, whatever is killed when: it stays in the stream, under this worker's name, until
///   its end is written, and a worker that stops renewing its lease loses its tasks to another.
/// - While Redis is away the worker waits, keeps the results it has, and goes on when Redis is back.
/// - While it cannot work, as ``canWork`` says, and another worker can, it takes nothing and gives back what it has.
@ReactorActor
public final class TaskWorker {
    /// What the worker has done since it was made.
    public struct Counters: Sendable, Equatable {
        private static let attempts = Metric.counter(
            "tickloop_task_attempts_total",
            "Runs of tasks that ended, by result.",
            labels: "result"
        )

        @Counter("tickloop_task_fetched_total", "Tasks read from the queue.") package var fetched = 0
        @Counter("tickloop_task_takeovers_total", "Tasks taken over from a worker that showed no sign of life.")
        var takenOver = 0
        @Counter(Self.attempts, "succeeded") package var succeeded = 0
        @Counter(Self.attempts, "failed") package var failed = 0
        @Counter("tickloop_task_retries_total", "Failed tasks that are to be run again.") package var retried = 0
        @Counter("tickloop_task_dead_total", "Failed tasks given up as dead letters.") package var dead = 0
        @Counter("tickloop_task_expired_total", "Tasks dropped because nobody waited any more.")
        var expired = 0
        /// Ends that were written.
        package var written = 0
        @Counter("tickloop_task_superseded_total", "Results dropped because another worker had ended the task.")
        var superseded = 0
        /// Tasks given back because another worker could do them and this one could not.
        var handedBack = 0
        @Counter("tickloop_task_lease_renewals_total", "Leases renewed.") package var leasesRenewed = 0
        @Counter(
            "tickloop_task_leases_lost_total",
            "Leases that another worker had taken when they were to be renewed."
        )
        var leasesLost = 0
    }

    private enum Phase {
        case idle, running, draining, closed
    }

    /// The limits.
    public let configuration: TaskQueueConfiguration
    let identity: WorkerIdentity
    let member: StreamMember
    private let redis: RedisClient
    private let logger: Logger
    private(set) lazy var sample = QueueSample(configuration, redis)
    private let probe: WriteProbe
    private let upkeep: QueueUpkeep
    private let finisher: TaskFinisher
    private let runner: TaskRunner

    private var phase = Phase.idle
    /// Tasks that arrived when it was too late to start them.
    private var unwantedCount = 0
    /// Whether the worker has been told of the queue since the last connect.
    private var wasInformed = false
    /// Whether the worker stood back when it was last looked at.
    private var wasStandingBack = false
    private var own = Counters()

    /// What the worker has done since it was made.
    public var counters: Counters {
        var counters = own
        counters.fetched = member.counters.fetched
        counters.takenOver = member.counters.takenOver
        counters.leasesRenewed = member.counters.leasesRenewed
        counters.leasesLost = member.counters.leasesLost
        return counters
    }

    /// Whether what the handlers need is there; asked before each read, and for each task that failed for want of it.
    public var canWork: @ReactorActor () -> Bool = { true }

    /// By Redis' clock.
    let waits = Histogram(
        "tickloop_task_wait_duration_seconds",
        "Time from a task's submission to its first start."
    )

    /// Makes a worker that is not connecting yet.
    ///
    /// - Parameter tracer: Takes a span of each run whose trace is recorded; nil for none at all.
    public init(
        _ configuration: TaskQueueConfiguration,
        redis settings: RedisConfiguration,
        tracer: Tracer? = nil,
        logger: Logger
    ) {
        var generator = SystemRandomNumberGenerator()
        self.configuration = configuration
        self.logger = logger
        redis = RedisClient(settings, logger: logger)
        identity = WorkerIdentity(
            redis: redis,
            keys: QueueKeys(queue: configuration.name),
            consumer: TaskID(unixTime: configuration.wallClock(), using: &generator).description,
            configuration: configuration
        )
        var membership = StreamMember.Configuration(
            stream: identity.keys.stream,
            group: QueueKeys.group,
            consumer: identity.consumer
        )
        membership.lease = configuration.lease
        member = StreamMember(membership, redis: redis, purpose: ":tasks", logger: logger)
        probe = WriteProbe(redis, keys: identity.keys)
        upkeep = QueueUpkeep(identity, logger: logger)
        finisher = TaskFinisher(identity, logger: logger)
        runner = TaskRunner(configuration, tracer: tracer, logger: logger)
        connectParts()
    }

    private func connectParts() {
        member.room = { [unowned self] in room }
        member.onDelivered = { [unowned self] in accept($0) }
        upkeep.canWork = { [unowned self] in phase == .running && canWork() }
        upkeep.onReport = { [unowned self] in informed() }
        upkeep.onHandedBack = { [unowned self] in member.patrol() }
        runner.onEnded = { [unowned self] in ended($0, $1) }
        finisher.onWritten = { [unowned self] in written($0, $1) }
        redis.onStateChange { [unowned self] isReady in
            wasInformed = false
            upkeep.connectionChanged(isReady)
            if isReady { finisher.connectionReturned() }
        }
    }

    // MARK: Life

    /// Registers a handler; before ``start()``.
    public func register(_ name: String, _ handler: any TaskHandler) {
        precondition(phase == .idle, "handlers are registered before the start")
        runner.register(name, handler)
    }

    /// Registers a function that runs one task; before ``start()``. Many of its calls run at once.
    public func register(_ name: String, _ body: @escaping @ReactorActor (TaskContext) async -> TaskResult) {
        register(name, SingleTaskHandler(body: body))
    }

    /// Starts connecting and running tasks.
    public func start() {
        precondition(phase == .idle, "a worker is started once")
        phase = .running
        redis.start()
        upkeep.start()
        member.start()
    }

    /// Whether the worker is connected and takes tasks, or would if the queue were not paused.
    public var isReady: Bool { phase == .running && member.isReady && upkeep.isInformed }

    /// Whether the worker is ready, and Redis takes the ends of its tasks.
    ///
    /// - Parameter deadline: Until when an answer is of use; without one by then the answer is no.
    public func isReady(by deadline: Instant) async -> Bool {
        guard isReady else { return false }
        return await probe.isWritable(by: deadline)
    }

    /// The client for commands that go beside the queue.
    var commands: RedisClient { redis }

    var fetchingCounters: RedisCounters { member.readerCounters }

    var runTimes: [Histogram] { runner.runTimes }

    /// How many tasks run, or have ended without that being written yet.
    var taskCount: Int { member.count }

    /// Whether an operator has paused the queue.
    var isPaused: Bool { upkeep.isPaused }

    /// Stops taking tasks, finishes what runs, hands back what does not finish in time, and closes the connections.
    ///
    /// - Parameter grace: How long running tasks may take.
    public func drain(within grace: Duration) async {
        guard phase == .running else { return close() }
        phase = .draining
        await member.rest(within: grace) { member.count > unwantedCount }
        runner.cancelAll()
        let rest = member.count
        if rest > 0 { logger.notice("handing tasks back", metadata: ["tasks": "\(rest)"]) }
        _ = try? await UpkeepScript.withdraw(identity)
        await member.leave()
        if rest > 0 { await tellOfHandedBack() }
        close()
    }

    /// Leaves everything as a killed process would: what is held stays held until its lease runs out.
    func abandon() {
        runner.cancelAll()
        close()
    }

    private func close() {
        phase = .closed
        upkeep.close()
        member.close()
        redis.close()
    }

    // MARK: Taking tasks

    private var room: Int {
        guard phase == .running, upkeep.isInformed, !upkeep.isPaused, !isStandingBack else { return 0 }
        return configuration.concurrency - member.count - runner.overdueCount
    }

    /// Whether the tasks are left to others, who can work.
    private var isStandingBack: Bool { upkeep.othersCanWork && !canWork() }

    private func informed() {
        if isStandingBack != wasStandingBack {
            wasStandingBack.toggle()
            logger.notice(wasStandingBack ? "cannot work, leaves tasks to other workers" : "takes tasks again")
            // What was given back and taken by nobody is still under our name.
            if !wasStandingBack { member.lookForLost() }
        }
        if upkeep.isPaused { member.interrupt() }
        if upkeep.isInformed, !wasInformed {
            wasInformed = true
            // The first could take nothing over.
            member.patrol()
        }
        member.advance()
    }

    /// Takes tasks that are ours now, and starts those that are worth it.
    private func accept(_ deliveries: [StreamDelivery]) {
        guard phase == .running else {
            unwantedCount += deliveries.count
            return
        }
        let now = Reactor.now
        var tasks: [HeldTask] = []
        tasks.reserveCapacity(deliveries.count)
        for delivery in deliveries {
            if let task = task(delivery, now) { tasks.append(task) }
        }
        guard !isStandingBack else { return handBack(tasks) { [weak self] in self?.run($0) } }
        run(tasks)
    }

    /// The task of an entry; nil for one that has come to its end already.
    private func task(_ delivery: StreamDelivery, _ now: Instant) -> HeldTask? {
        let entry = delivery.entry.id
        let text = delivery.entry.fields.first?.value ?? []
        guard let envelope = TaskEnvelope(parsing: text.span) else {
            own.dead += 1
            logger.error("entry is not a task", metadata: ["entry": "\(entry)"])
            finisher.add(.init(entry: entry, disposition: .unreadable(text)))
            return nil
        }
        let added = upkeep.time(ofEntryAt: entry.milliseconds, now: now)
        let task = HeldTask(
            entry: entry,
            deliveries: delivery.number,
            envelope: envelope,
            submittedAt: added - .milliseconds(envelope.ageMilliseconds)
        )
        if task.isSpent(limit: configuration.retry.attemptLimit) {
            own.dead += 1
            finisher.add(.init(entry: entry, disposition: .dead(envelope, .workerLost, attempts: task.attempt - 1)))
        } else if let deadline = task.deadline, deadline <= now {
            own.expired += 1
            finisher.add(.init(entry: entry, disposition: .ended(envelope, .expired)))
        } else {
            return task
        }
        return nil
    }

    private func run(_ tasks: [HeldTask]) {
        for task in tasks where task.attempt == 1 && task.envelope.ageMilliseconds == 0 {
            waits.observe(Reactor.now - task.submittedAt)
        }
        let takenOver = tasks.count(where: { $0.deliveries > 1 })
        if takenOver > 0 {
            redis.command(["HINCRBY", .string(identity.keys.totals), "taken_over", .integer(Int64(takenOver))]) { _ in }
        }
        StartedScript.run(tasks.filter(\.envelope.isTracked).map(\.envelope), as: identity)
        runner.run(tasks)
    }

    /// Gives tasks to workers that can work.
    ///
    /// - Parameter otherwise: Called with the tasks when there is none.
    private func handBack(_ tasks: [HeldTask], otherwise: @escaping @ReactorActor ([HeldTask]) -> Void) {
        guard !tasks.isEmpty else { return }
        Reactor.spawn { [weak self] in
            let isDone = (try? await self?.handBackNow(tasks)) ?? false
            guard let self, phase == .running || phase == .draining else { return }
            guard isDone else {
                upkeep.nobodyElseCanWork()
                return otherwise(tasks)
            }
            own.handedBack += tasks.count
            member.advance()
        }
    }

    private func handBackNow(_ tasks: [HeldTask]) async throws(RedisError) -> Bool {
        guard try await UpkeepScript.withdraw(identity) else { return false }
        try await member.giveBack(tasks.map(\.entry))
        await tellOfHandedBack()
        return true
    }

    private func tellOfHandedBack() async {
        let message = RedisArgument.string(ControlMessage.patrol.rawValue)
        _ = try? await redis.command(["PUBLISH", .string(identity.keys.control), message])
    }

    // MARK: Finishing

    private func ended(_ task: HeldTask, _ result: TaskResult) {
        if case .failure(let failure) = result, failure.kind == .unavailable, !canWork() {
            return handBack([task]) { [weak self] _ in self?.finish(task, result) }
        }
        finish(task, result)
    }

    private func finish(_ task: HeldTask, _ result: TaskResult) {
        switch result {
        case .success: own.succeeded += 1
        case .failure: own.failed += 1
        }
        var generator = SystemRandomNumberGenerator()
        let disposition = task.disposition(for: result, retry: configuration.retry, now: Reactor.now, using: &generator)
        switch disposition {
        case .retry: own.retried += 1
        case .dead, .unreadable: own.dead += 1
        case .ended: break
        }
        finisher.add(.init(entry: task.entry, disposition: disposition))
    }

    private func written(_ entries: [StreamPosition], _ summary: FinishScript.Summary) {
        member.ended(entries)
        own.written += summary.written
        own.superseded += entries.count - summary.written
        if let due = summary.nextDue, due < configuration.patrolInterval { upkeep.run(within: due) }
        member.advance()
    }
}
