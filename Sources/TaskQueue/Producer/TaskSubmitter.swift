internal import Logging
internal import Reactor
internal import Redis
internal import RedisStreams

/// Sends tasks to the queue: those of one turn of the loop in one call, and those that come while a call is unanswered
/// in the next. So calls grow with the load, and while there is none, nothing waits.
@ReactorActor
final class TaskSubmitter {
    /// A task that leaves at the end of the turn.
    enum Item {
        /// What is sent is asked for when it is.
        case waited(WaitedTask)
        case unattended(SubmitScript.Submission, then: (TaskQueueError?) -> Void)
    }

    private let redis: RedisClient
    private let keys: QueueKeys
    private let limits: TaskQueueConfiguration
    private let logger: Logger
    private var refusals = Reminder()
    private var items: [Item] = []
    private var unansweredCalls = 0
    private lazy var sending = EndOfTurn { [weak self] in self?.send() }

    /// What to send for a task that is waited for; nil when there is nothing to send.
    var submission: (WaitedTask) -> SubmitScript.Submission? = { _ in nil }
    /// Called with each task and where in the stream it is.
    var onSent: (Item, Result<StreamPosition, TaskQueueError>) -> Void = { _, _ in }

    private(set) var sentCount = 0
    /// Whether no answer is due.
    var isIdle: Bool { unansweredCalls == 0 }

    init(_ redis: RedisClient, keys: QueueKeys, limits: TaskQueueConfiguration, logger: Logger) {
        self.redis = redis
        self.keys = keys
        self.limits = limits
        self.logger = logger
    }

    func add(_ item: Item) {
        items.append(item)
        sending.schedule()
    }

    /// There is a connection again.
    func connectionReturned() {
        if !items.isEmpty { sending.schedule() }
    }

    private func send() {
        guard unansweredCalls == 0 else { return }
        var all: [Item] = []
        swap(&all, &items)
        guard redis.isReady else { return postpone(all) }
        for first in stride(from: 0, to: all.count, by: SubmitScript.batchLimit) {
            send(all[first..<min(first + SubmitScript.batchLimit, all.count)])
        }
    }

    private func send(_ batch: ArraySlice<Item>) {
        var plain: [(Item, SubmitScript.Submission)] = []
        var tracked: [(Item, SubmitScript.Submission)] = []
        for item in batch {
            switch item {
            case .unattended(let submission, _) where submission.state != nil: tracked.append((item, submission))
            case .unattended(let submission, _): plain.append((item, submission))
            case .waited(let task):
                if let submission = submission(task) { plain.append((item, submission)) }
            }
        }
        let sent = plain + tracked
        guard !sent.isEmpty else { return }
        sentCount += sent.count
        unansweredCalls += 1
        SubmitScript.run(sent.map(\.1), on: redis, keys: keys, limits: limits) { [weak self] result in
            self?.answered(sent.map(\.0), result)
        }
    }

    /// The connection broke while these gathered: callers who wait may wait for its return, the others are told.
    private func postpone(_ all: [Item]) {
        for item in all {
            switch item {
            case .waited: items.append(item)
            case .unattended: onSent(item, .failure(.unavailable(mayHaveRun: false)))
            }
        }
    }

    private func answered(_ sent: [Item], _ result: Result<[StreamPosition], RedisError>) {
        unansweredCalls -= 1
        if unansweredCalls == 0 { connectionReturned() }
        switch result {
        case .success(let accepted):
            for (index, item) in sent.enumerated() {
                onSent(item, index < accepted.count ? .success(accepted[index]) : .failure(.overloaded))
            }
        case .failure(let error):
            // A broker that refuses does so to every call.
            if let unsaid = refusals.isDue(at: Reactor.now) {
                logger.warning("submitting tasks failed", metadata: ["error": "\(error)", "unsaid": "\(unsaid)"])
            }
            // The script writes all or nothing.
            let isRefused = if case .refused = error { true } else { false }
            let failure = TaskQueueError.unavailable(mayHaveRun: error.mayHaveHappened && !isRefused)
            for item in sent { onSent(item, .failure(failure)) }
        }
    }
}
