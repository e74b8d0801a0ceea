internal import Logging
internal import Reactor
internal import Redis

/// What a worker does for its queue at regular intervals, and what it knows of the queue from there: whether it is
/// paused, what its clock shows, and whether other workers can work.
@ReactorActor
final class QueueUpkeep {
    private let worker: WorkerIdentity
    private let logger: Logger
    private var failures = Reminder()
    private let subscriber: RedisSubscriber
    private lazy var timer = Timer { [unowned self] in
        due = nil
        run()
    }
    private var due: Instant?
    private var isUnderWay = false
    private var clock = RemoteClock()
    /// Counts the control messages about pausing, so that the report of an older run does not overrule one.
    private var pauseChanges = 0

    /// Whether Redis has told all of this since the last connect.
    private(set) var isInformed = false
    /// Whether an operator has paused the queue.
    private(set) var isPaused = false
    /// Whether another worker could work when this was last asked.
    private(set) var othersCanWork = false

    /// Whether this worker can work; asked each time before others are told.
    var canWork: () -> Bool = { true }
    /// Called when any of it may have changed.
    var onReport: () -> Void = {}
    /// Called when there is something to take over now.
    var onHandedBack: () -> Void = {}

    init(_ worker: WorkerIdentity, logger: Logger) {
        self.worker = worker
        self.logger = logger
        subscriber = RedisSubscriber(
            worker.redis.configuration,
            channels: [worker.keys.control],
            purpose: ":control",
            logger: logger
        )
        subscriber.onSubscribed = { [unowned self] in run() }
        subscriber.onMessage = { [unowned self] _, message in controlled(message) }
    }

    func start() { subscriber.start() }

    func close() {
        timer.cancel()
        subscriber.close()
    }

    /// The connection for commands was made or lost.
    func connectionChanged(_ isReady: Bool) {
        isInformed = false
        guard isReady else { return }
        run()
        warnAboutEviction()
    }

    /// No other can work, as was just found out.
    func nobodyElseCanWork() { othersCanWork = false }

    /// When an entry was added, by the loop's clock.
    func time(ofEntryAt milliseconds: UInt64, now: Instant) -> Instant { clock.instant(of: milliseconds, now: now) }

    func run() {
        guard worker.redis.isReady, !isUnderWay else { return }
        isUnderWay = true
        timer.cancel()
        due = nil
        let changes = pauseChanges
        UpkeepScript.run(as: worker, canWork: canWork()) { [weak self] result in
            guard let self else { return }
            isUnderWay = false
            let interval = worker.configuration.patrolInterval
            switch result {
            case .success(let report):
                clock.shows(report.time, at: Reactor.now)
                othersCanWork = report.othersCanWork
                isInformed = true
                if changes == pauseChanges { setPaused(report.isPaused) }
                run(within: min(report.nextDue ?? interval, interval))
                onReport()
            case .failure(let error):
                if let unsaid = failures.isDue(at: Reactor.now) {
                    logger.warning(
                        "looking after the queue failed",
                        metadata: ["error": "\(error)", "unsaid": "\(unsaid)"]
                    )
                }
                run(within: interval)
            }
        }
    }

    /// Runs after `delay` at the latest.
    func run(within delay: Duration) {
        let time = Reactor.now + delay
        if let due, due <= time { return }
        due = time
        timer.schedule(at: time)
    }

    private func controlled(_ message: Span<UInt8>) {
        switch ControlMessage(rawValue: String(decoding: [UInt8](copying: message), as: UTF8.self)) {
        case .pause?:
            pauseChanges += 1
            setPaused(true)
        case .resume?:
            pauseChanges += 1
            setPaused(false)
        case .patrol?:
            run()
            onHandedBack()
        case nil: break
        }
        onReport()
    }

    private func setPaused(_ paused: Bool) {
        guard paused != isPaused else { return }
        isPaused = paused
        logger.notice(paused ? "queue paused" : "queue resumed")
    }

    /// Any policy but `noeviction` lets Redis forget tasks when its memory is short.
    private func warnAboutEviction() {
        worker.redis.command(["CONFIG", "GET", "maxmemory-policy"]) { [logger] result in
            // A server that hides its configuration is trusted to be configured well.
            guard case .success(let reply) = result, let policy = reply.fields?["maxmemory-policy"]?.text else {
                return
            }
            guard policy != "noeviction" else { return }
            logger.error("redis may evict tasks: set maxmemory-policy noeviction", metadata: ["policy": "\(policy)"])
        }
    }
}
