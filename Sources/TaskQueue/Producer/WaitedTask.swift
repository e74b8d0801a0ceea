internal import Reactor
internal import RedisStreams

/// One task that callers wait for, from before it is sent until its outcome is told to all of them.
@ReactorActor
final class WaitedTask {
    /// What makes two questions the same.
    struct Key: Hashable {
        let name: String
        /// Encoded, so that equal keys are equal bytes.
        let arguments: String
    }

    /// Somebody who waits.
    struct Waiter {
        let deadline: Instant
        let then: @ReactorActor (Result<TaskOutcome, TaskQueueError>) -> Void
    }

    let id: TaskID
    let key: Key
    /// What the first of them asked for; the deadline is ``deadline``.
    var request: TaskRequest
    private(set) var waiters: [Waiter] = []
    /// When it was sent; nil while others may join.
    var sentAt: Instant?
    /// Where in the stream it is; nil until Redis has said so.
    var entry: StreamPosition?
    /// Whether its entry was not there when it was looked for.
    var isMissed = false
    /// Whether a connection broke since it was sent, or the call was not answered, so that the task or its result may
    /// be lost.
    var isUncertain = false
    /// Whether it was sent more than once.
    var isRepeated = false
    /// Whether it stopped holding up the next task of its key, because it was sent too long ago.
    var isOverdue = false

    init(id: TaskID, key: Key, request: TaskRequest) {
        self.id = id
        self.key = key
        self.request = request
    }

    /// The task must not be dropped while anybody waits for it.
    var deadline: Instant? { waiters.lazy.map(\.deadline).max() }

    func add(_ waiter: Waiter) { waiters.append(waiter) }

    /// Removes those who have waited long enough.
    func removeLate(now: Instant) -> [Waiter] {
        guard waiters.contains(where: { $0.deadline <= now }) else { return [] }
        let late = waiters.filter { $0.deadline <= now }
        waiters.removeAll { $0.deadline <= now }
        return late
    }
}
