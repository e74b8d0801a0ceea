internal import Logging
internal import Reactor
internal import Redis
internal import RedisStreams

/// Writes the ends of tasks to Redis: many in one call, and again until they are written.
///
/// While a call is unanswered the next one gathers, as in a database's group commit: so calls grow with the load, and
/// while there is none, nothing waits.
///
/// Writing twice is harmless, because only what is still pending is written. So after a lost connection everything
/// unanswered is simply sent again. What waits here is bounded by the worker's concurrency: a task occupies its place
/// until its end is written.
@ReactorActor
final class TaskFinisher {
    private let worker: WorkerIdentity
    private let logger: Logger
    private var waiting: [FinishScript.Ending] = []
    private var unansweredCalls = 0
    private lazy var flush = EndOfTurn { [weak self] in self?.send() }
    private lazy var retryTimer = Timer { [unowned self] in send() }
    private var backoff = Backoff(first: .milliseconds(50), cap: .seconds(1))
    private var failures = Reminder()

    /// Called with entries whose end is in Redis, and the time until the next delayed task is due if any was delayed.
    var onWritten: ([StreamPosition], FinishScript.Summary) -> Void = { _, _ in }

    init(_ worker: WorkerIdentity, logger: Logger) {
        self.worker = worker
        self.logger = logger
    }

    func add(_ ending: FinishScript.Ending) {
        waiting.append(ending)
        flush.schedule()
    }

    /// Redis can be reached again.
    func connectionReturned() {
        backoff.reset()
        flush.schedule()
    }

    private func send() {
        guard worker.redis.isReady, !waiting.isEmpty, unansweredCalls == 0 else { return }
        retryTimer.cancel()
        var endings: [FinishScript.Ending] = []
        swap(&endings, &waiting)
        // Of one task there is one end, so that their order among each other means nothing.
        let middle = endings.partition { $0.isPlainSuccess }
        for batch in endings[..<middle].slices(of: FinishScript.batchLimit) {
            unansweredCalls += 1
            FinishScript.run(batch, as: worker) { [weak self] result in self?.answered(batch, result) }
        }
        for batch in endings[middle...].slices(of: FinishScript.batchLimit) {
            unansweredCalls += 1
            DeliverScript.run(batch, as: worker) { [weak self] result in self?.answered(batch, result) }
        }
    }

    private func answered(
        _ batch: ArraySlice<FinishScript.Ending>,
        _ result: Result<FinishScript.Summary, RedisError>
    ) {
        unansweredCalls -= 1
        if unansweredCalls == 0, !waiting.isEmpty { flush.schedule() }
        switch result {
        case .success(let summary):
            backoff.reset()
            onWritten(batch.map(\.entry), summary)
        case .failure(let error):
            waiting.append(contentsOf: batch)
            if let unsaid = failures.isDue(at: Reactor.now) {
                logger.warning(
                    "task results not written yet",
                    metadata: ["error": "\(error)", "tasks": "\(batch.count)", "unsaid": "\(unsaid)"]
                )
            }
            if !retryTimer.isScheduled { retryTimer.schedule(after: backoff.next()) }
        }
    }
}

extension ArraySlice {
    /// The elements in slices of at most `length`.
    fileprivate func slices(of length: Int) -> [ArraySlice] {
        stride(from: startIndex, to: endIndex, by: length).map { self[$0..<Swift.min($0 + length, endIndex)] }
    }
}
