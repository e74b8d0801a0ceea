internal import Basics
internal import JSONWire
public import Logging
public import Metrics
public import Reactor
public import Redis
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
        /// Tasks read from the stream.
        public var fetched = 0
        /// Tasks taken over from a lost worker, or found again after a lost connection.
        public var takenOver = 0
        /// Tasks whose handler returned a result.
        public var succeeded = 0
        /// Tasks whose handler failed or took too long.
        public var failed = 0
        /// Failed tasks that are to be run again.
        public var retried = 0
        /// Failed tasks that were given up.
        public var dead = 0
        /// Tasks dropped because their deadline had passed.
        public var expired = 0
        /// Ends that were written.
        public var written = 0
        /// Ends that were not written because the task had been ended by another worker.
        public var superseded = 0
        /// Tasks given back because another worker could do them and this one could not.
        public var handedBack = 0
        /// Leases that were renewed.
        public var leasesRenewed = 0
        /// Leases that another worker had taken when they were to be renewed.
        public var leasesLost = 0
    }

    enum Phase {
        case idle, running, draining, closed
    }

    /// Whose a task is, as far as this worker knows.
    enum Lease {
        case ours
        /// Another worker had it when it was to be renewed. Our handler goes on, and may still win.
        case lost
    }

    /// How long a read waits in Redis for the next task.
    private static let block = Duration.milliseconds(1500)
    /// Most tasks in one read, which bounds the work of one turn of the loop.
    private static let fetchLimit = 256
    /// How often to look for consumers that dead workers left behind, and how long these must have been silent.
    private static let consumerSweepInterval = Duration.seconds(60)
    private static let consumerStaleAfter = Duration.seconds(600)

    /// The limits.
    public let configuration: TaskQueueConfiguration
    let identity: WorkerIdentity
    private let redis: RedisClient
    let reader: RedisBlockingReader
    private let logger: Logger
    private let probe: WriteProbe
    private let finisher: TaskFinisher
    private let runner: TaskRunner
    private let subscriber: RedisSubscriber
    private lazy var patrolTimer = Timer { [unowned self] in
        patrolDue = nil
        patrol()
    }
    private lazy var renewalTimer = Timer { [unowned self] in renew() }

    private var phase = Phase.idle
    /// Tasks whose end is not written.
    private var held: [StreamEntryID: Lease] = [:]
    /// Tasks that arrived when it was too late to start them.
    private var unwanted: [StreamEntryID] = []
    /// Whether a patrol succeeded since the last connect: the group exists, and `isPaused` is true to the key.
    private var isAttended = false
    private var isPatrolling = false
    private var patrolDue: Instant?
    /// Whether Redis may have handed over tasks that never arrived.
    private var needsReclaim = true
    private var isReclaiming = false
    /// Whether another worker could work when the last patrol asked.
    private var othersCanWork = false
    /// Whether the worker stood back when it was last looked at.
    private var wasStandingBack = false
    private var redisClock = RemoteClock()
    private var nextConsumerSweep = Instant.now
    /// Counts the control messages about pausing, so that the report of an older patrol does not overrule one.
    private var pauseChanges = 0
    private var drained: Promise<Void, Never>?

    /// Whether an operator has paused the queue.
    public private(set) var isPaused = false
    /// What the worker has done since it was made.
    public private(set) var counters = Counters()

    /// Whether what the handlers need is there; asked before each read, and for each task that failed for want of it.
    public var canWork: @ReactorActor () -> Bool = { true }

    /// How long tasks had been in the queue when they were started for the first time, by Redis' clock.
    public let waits = Histogram()

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
        reader = RedisBlockingReader(settings, purpose: ":tasks", logger: logger)
        identity = WorkerIdentity(
            redis: redis,
            keys: QueueKeys(queue: configuration.name),
            consumer: TaskID(unixTime: configuration.wallClock(), using: &generator).description,
            configuration: configuration
        )
        probe = WriteProbe(redis, keys: identity.keys)
        finisher = TaskFinisher(identity, logger: logger)
        runner = TaskRunner(configuration, tracer: tracer, logger: logger)
        subscriber = RedisSubscriber(
            settings,
            channels: [identity.keys.control],
            purpose: ":control",
            logger: logger
        )
        connectParts()
    }

    private func connectParts() {
        runner.onEnded = { [unowned self] in ended($0, $1) }
        subscriber.onSubscribed = { [unowned self] in patrol() }
        subscriber.onMessage = { [unowned self] _, message in controlled(message) }
        finisher.onWritten = { [unowned self] in written($0, $1) }
        redis.onStateChange { [unowned self] isReady in
            isAttended = false
            guard isReady else { return }
            finisher.connectionReturned()
            patrol()
            warnAboutEviction()
        }
        reader.onStateChange { [unowned self] _ in
            needsReclaim = true
            advance()
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
        reader.start()
        subscriber.start()
        renewalTimer.scheduleRepeating(every: configuration.renewalInterval)
    }

    /// Whether the worker is connected and takes tasks, or would if the queue were not paused.
    public var isReady: Bool { phase == .running && redis.isReady && isAttended }

    /// Whether the worker is ready, and Redis takes the ends of its tasks.
    ///
    /// - Parameter deadline: Until when an answer is of use; without one by then the answer is no.
    public func isReady(by deadline: Instant) async -> Bool {
        guard isReady else { return false }
        return await probe.isWritable(by: deadline)
    }

    /// The client for commands that go beside the queue.
    public var commands: RedisClient { redis }

    /// What the connection that fetches tasks has done.
    public var fetchingCounters: RedisCounters { reader.counters }

    /// How long the handler of each name took for its tasks.
    public var runTimes: [String: Histogram] { runner.runTimes }

    /// How many tasks run, or have ended without that being written yet.
    public var taskCount: Int { held.count }

    /// Stops taking tasks, finishes what runs, hands back what does not finish in time, and closes the connections.
    ///
    /// - Parameter grace: How long running tasks may take.
    public func drain(within grace: Duration) async {
        guard phase == .running else { return close() }
        phase = .draining
        reader.interrupt(through: redis)
        let drained = Promise<Void, Never>()
        self.drained = drained
        let timer = Timer { drained.succeed(()) }
        timer.schedule(after: grace)
        checkDrained()
        _ = await drained.result
        timer.cancel()

        runner.cancelAll()
        let rest = Array(held.keys) + unwanted
        if !rest.isEmpty { logger.notice("handing tasks back", metadata: ["tasks": "\(rest.count)"]) }
        do {
            _ = try await HandBackScript.run(rest, as: identity, if: .always)
        } catch {
            // Their leases run out by themselves.
            logger.warning("tasks not handed back", metadata: ["error": "\(error)", "tasks": "\(rest.count)"])
        }
        close()
    }

    /// Leaves everything as a killed process would: what is held stays held until its lease runs out.
    func abandon() {
        runner.cancelAll()
        close()
    }

    private func close() {
        phase = .closed
        patrolTimer.cancel()
        renewalTimer.cancel()
        subscriber.close()
        reader.close()
        redis.close()
    }

    private func checkDrained() {
        guard phase == .draining, held.isEmpty, !reader.isReading else { return }
        drained?.succeed(())
    }

    /// Any policy but `noeviction` lets Redis forget tasks when its memory is short.
    private func warnAboutEviction() {
        redis.command(["CONFIG", "GET", "maxmemory-policy"]) { [logger] result in
            // A server that hides its configuration is trusted to be configured well.
            guard case .success(let reply) = result, let policy = reply.fields?["maxmemory-policy"]?.text else {
                return
            }
            guard policy != "noeviction" else { return }
            logger.error("redis may evict tasks: set maxmemory-policy noeviction", metadata: ["policy": "\(policy)"])
        }
    }

    // MARK: Fetching

    private var freeSlots: Int { configuration.concurrency - held.count - runner.overdueCount }

    /// Does what comes next; called after everything that can change what that is.
    private func advance() {
        checkDrained()
        guard phase == .running, redis.isReady else { return }
        guard isAttended else { return patrol() }
        guard reader.isReady, !isStandingBack else { return }
        if needsReclaim { return reclaim() }
        if !isPaused, freeSlots > 0 { read() }
    }

    /// Whether the tasks are left to others, who can work.
    private var isStandingBack: Bool { othersCanWork && !canWork() }

    private func noteStandingBack() {
        let isStandingBack = isStandingBack
        guard isStandingBack != wasStandingBack else { return }
        wasStandingBack = isStandingBack
        logger.notice(isStandingBack ? "cannot work, leaves tasks to other workers" : "takes tasks again")
        // What was given back and taken by nobody is still under our name.
        if !isStandingBack { needsReclaim = true }
    }

    private func read() {
        var command = RedisCommand()
        for word in ["XREADGROUP", "GROUP", QueueKeys.group, identity.consumer, "COUNT"] { command.append(word) }
        // Not more than can be started now: the lease of an entry runs from its delivery.
        command.append(min(freeSlots, Self.fetchLimit))
        command.append("BLOCK")
        command.append(Self.block.wholeMilliseconds)
        for word in ["STREAMS", identity.keys.stream, ">"] { command.append(word) }
        reader.read(&command, blockingFor: Self.block) { [weak self] outcome in
            switch outcome {
            case .reply(let reply): self?.fetched(Self.deliveries(in: reply))
            case .failed(let error): self?.readFailed(error)
            }
        }
    }

    private func fetched(_ deliveries: [Delivery]) {
        counters.fetched += deliveries.count
        accept(deliveries)
        advance()
    }

    private func readFailed(_ error: RedisError) {
        needsReclaim = needsReclaim || error.mayHaveHappened
        if case .refused(let refusal) = error {
            // The queue was flushed, or Redis came back empty: the next patrol makes the group anew.
            if refusal.code == .noGroup { isAttended = false }
            logger.warning("reading tasks failed", metadata: ["error": "\(error)"])
            // The next patrol goes on from here, at its own pace.
            return schedulePatrol(after: configuration.patrolInterval)
        }
        // The connection is gone: its return goes on from here.
        checkDrained()
    }

    /// Reads `[[stream, [[entry, [field, envelope]], …]]]`.
    private static func deliveries(in reply: borrowing RedisReplyView) -> [Delivery] {
        guard reply.count == 1, reply[0].count == 2 else { return [] }
        var list: [Delivery] = []
        for index in 0..<reply[0][1].count {
            guard reply[0][1][index].count == 2, reply[0][1][index][1].count >= 2,
                let entry = reply[0][1][index][0].withBytes({ text in StreamEntryID(text) })
            else { continue }
            list.append(Delivery(entry: entry, deliveries: 1, text: reply[0][1][index][1][1].bytes))
        }
        return list
    }

    /// Asks Redis for tasks that it has handed to us and that got lost with a connection.
    private func reclaim() {
        guard !isReclaiming else { return }
        isReclaiming = true
        ReclaimScript.run(known: held.keys, as: identity) { [weak self] result in
            guard let self else { return }
            isReclaiming = false
            switch result {
            case .success(let deliveries):
                needsReclaim = false
                counters.takenOver += deliveries.count
                accept(deliveries)
                advance()
            case .failure(let error):
                logger.warning("reclaiming tasks failed", metadata: ["error": "\(error)"])
                schedulePatrol(after: configuration.patrolInterval)
            }
        }
    }

    /// Takes tasks that are ours now, and starts those that are worth it.
    private func accept(_ deliveries: [Delivery]) {
        guard phase == .running else {
            unwanted.append(contentsOf: deliveries.map(\.entry))
            return
        }
        let now = Reactor.now
        var tasks: [HeldTask] = []
        tasks.reserveCapacity(deliveries.count)
        for delivery in deliveries {
            // What we were running anyway, and had lost for a while, is ours again.
            guard held.updateValue(.ours, forKey: delivery.entry) == nil else { continue }
            guard let envelope = TaskEnvelope(parsing: delivery.text.span) else {
                counters.dead += 1
                logger.error("entry is not a task", metadata: ["entry": "\(delivery.entry)"])
                finisher.add(.init(entry: delivery.entry, disposition: .unreadable(delivery.text)))
                continue
            }
            let added = redisClock.instant(of: delivery.entry.milliseconds, now: now)
            let task = HeldTask(
                entry: delivery.entry,
                deliveries: delivery.deliveries,
                envelope: envelope,
                submittedAt: added - .milliseconds(envelope.ageMilliseconds)
            )
            if let deadline = task.deadline, deadline <= now {
                counters.expired += 1
                finisher.add(.init(entry: delivery.entry, disposition: .ended(envelope, .expired)))
                continue
            }
            tasks.append(task)
        }
        guard !isStandingBack else { return handBack(tasks) { [weak self] in self?.run($0) } }
        run(tasks)
    }

    private func run(_ tasks: [HeldTask]) {
        for task in tasks where task.attempt == 1 && task.envelope.ageMilliseconds == 0 {
            waits.observe(Reactor.now - task.submittedAt)
        }
        StartedScript.run(tasks.filter(\.envelope.isTracked).map(\.envelope), as: identity)
        runner.run(tasks)
    }

    /// Gives tasks to workers that can work.
    ///
    /// - Parameter otherwise: Called with the tasks when there is none.
    private func handBack(_ tasks: [HeldTask], otherwise: @escaping @ReactorActor ([HeldTask]) -> Void) {
        guard !tasks.isEmpty else { return }
        Reactor.spawn { [weak self, identity] in
            let entries = tasks.map(\.entry)
            let isDone = (try? await HandBackScript.run(entries, as: identity, if: .othersCanWork)) ?? false
            guard let self, phase == .running || phase == .draining else { return }
            guard isDone else {
                othersCanWork = false
                return otherwise(tasks)
            }
            counters.handedBack += tasks.count
            for entry in entries { held[entry] = nil }
            advance()
        }
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
        case .success: counters.succeeded += 1
        case .failure: counters.failed += 1
        }
        var generator = SystemRandomNumberGenerator()
        let disposition = task.disposition(for: result, retry: configuration.retry, now: Reactor.now, using: &generator)
        switch disposition {
        case .retry: counters.retried += 1
        case .dead, .unreadable: counters.dead += 1
        case .ended: break
        }
        finisher.add(.init(entry: task.entry, disposition: disposition))
    }

    private func written(_ entries: [StreamEntryID], _ summary: FinishScript.Summary) {
        for entry in entries { held[entry] = nil }
        counters.written += summary.written
        counters.superseded += entries.count - summary.written
        if let due = summary.nextDue, due < configuration.patrolInterval { schedulePatrol(after: due) }
        advance()
    }

    // MARK: Leases and upkeep

    private func renew() {
        guard redis.isReady else { return }
        let due = held.filter { $0.value == .ours }.map(\.key)
        guard !due.isEmpty else { return }
        RenewScript.run(due, as: identity) { [weak self] result in
            guard let self, case .success(let lost) = result else { return }
            counters.leasesRenewed += due.count - lost.count
            for entry in lost where held[entry] == .ours {
                held[entry] = .lost
                counters.leasesLost += 1
                logger.warning("lease lost", metadata: ["entry": "\(entry)"])
            }
        }
    }

    private func patrol() {
        guard phase == .running || phase == .draining, redis.isReady, !isPatrolling else { return }
        isPatrolling = true
        patrolTimer.cancel()
        patrolDue = nil
        let changes = pauseChanges
        let isAble = canWork() && phase == .running
        let sweeps = nextConsumerSweep <= Reactor.now
        if sweeps { nextConsumerSweep = Reactor.now + Self.consumerSweepInterval }
        PatrolScript.run(
            as: identity,
            limit: phase == .running && !isStandingBack ? max(0, freeSlots) : 0,
            canWork: isAble,
            removingConsumersIdleFor: sweeps ? Self.consumerStaleAfter : nil
        ) { [weak self] result in
            guard let self else { return }
            isPatrolling = false
            switch result {
            case .success(let report):
                isAttended = true
                redisClock.shows(report.time, at: Reactor.now)
                othersCanWork = report.othersCanWork
                noteStandingBack()
                counters.takenOver += report.taken.count
                accept(report.taken)
                if changes == pauseChanges { setPaused(report.isPaused) }
                schedulePatrol(after: min(report.nextDue ?? configuration.patrolInterval, configuration.patrolInterval))
                advance()
            case .failure(let error):
                logger.warning("patrol failed", metadata: ["error": "\(error)"])
                schedulePatrol(after: configuration.patrolInterval)
            }
        }
    }

    /// Makes the next patrol happen at the latest after `delay`.
    private func schedulePatrol(after delay: Duration) {
        guard phase == .running || phase == .draining else { return }
        let due = Reactor.now + delay
        if let patrolDue, patrolDue <= due { return }
        patrolDue = due
        patrolTimer.schedule(at: due)
    }

    private func controlled(_ message: Span<UInt8>) {
        switch ControlMessage(rawValue: String(decoding: [UInt8](copying: message), as: UTF8.self)) {
        case .pause?:
            pauseChanges += 1
            setPaused(true)
        case .resume?:
            pauseChanges += 1
            setPaused(false)
        case .patrol?: patrol()
        case nil: break
        }
    }

    private func setPaused(_ paused: Bool) {
        guard paused != isPaused else { return }
        isPaused = paused
        logger.notice(paused ? "queue paused" : "queue resumed")
        if paused { reader.interrupt(through: redis) } else { advance() }
    }
}
