internal import Reactor

/// One task that callers wait for, from before it is sent until its outcome is handed to all of them.
@ReactorActor
final class Flight {
    /// What makes two questions the same.
    struct Key: Hashable {
        let name: String
        /// Encoded, so that equal keys are equal bytes.
        let arguments: String
    }

    /// Somebody who waits.
    struct Passenger {
        let deadline: Instant
        let then: @ReactorActor (Result<TaskOutcome, TaskQueueError>) -> Void
    }

    let id: TaskID
    /// Nil when nobody may join.
    let key: Key?
    /// What the first passenger asked for; the deadline is ``deadline``.
    var request: TaskRequest
    private(set) var passengers: [Passenger] = []
    /// When it was sent; nil while it boards.
    var departure: Instant?
    /// Where in the stream it is; nil until Redis has said so.
    var entry: StreamEntryID?
    /// Whether its entry was not there when it was looked for.
    var isMissed = false
    /// Whether a connection broke since it was sent, or the call was not answered, so that the task or its result may
    /// be lost.
    var isUncertain = false
    /// Whether it was sent more than once.
    var isRepeated = false
    /// Whether it stopped holding up the next flight of its key, because it has been under way for too long.
    var isOverdue = false

    init(id: TaskID, key: Key?, request: TaskRequest) {
        self.id = id
        self.key = key
        self.request = request
    }

    /// The task must not be dropped while anybody waits for it.
    var deadline: Instant? { passengers.lazy.map(\.deadline).max() }

    func take(_ passenger: Passenger) { passengers.append(passenger) }

    /// Removes those who have waited long enough.
    func removeLate(now: Instant) -> [Passenger] {
        guard passengers.contains(where: { $0.deadline <= now }) else { return [] }
        let late = passengers.filter { $0.deadline <= now }
        passengers.removeAll { $0.deadline <= now }
        return late
    }
}
