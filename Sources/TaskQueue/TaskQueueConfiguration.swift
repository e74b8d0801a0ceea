internal import Reactor

/// The bounds and times of one queue; submitters and workers of a queue should agree on them.
public struct TaskQueueConfiguration: Sendable {
    /// Names the queue; part of every key. Lower-case letters, digits, `-`, `_` and `.`.
    public var name: String
    /// Most tasks in the queue: waiting, running and delayed together. Beyond it submissions are refused.
    public var depthLimit = 10_000
    /// Most bytes of results that are kept for tracked tasks. A task that has none yet counts as
    /// ``resultReservationBytes``. Beyond it tracked submissions are refused; those that are waited for are not kept.
    public var resultBytesLimit = 96 * 1024 * 1024
    /// How long the state of a tracked task is kept after its end.
    public var resultTimeToLive: Duration = .seconds(3600)

    /// What the wall clock shows, as time since 1970-01-01T00:00:00Z. Only shown and put into ids: the machines' clocks
    /// decide nothing.
    var wallClock: @ReactorActor @Sendable () -> Duration = { Reactor.unixTime }

    // MARK: Submitters

    /// Most callers of one process that wait for results.
    public var waiterLimit = 4096
    /// How long callers whose task was sent go on waiting while Redis is away.
    var lossGrace: Duration = .seconds(1)
    /// After this time under way, a shared task no longer holds up later callers with the same question.
    public var sharingPatience: Duration = .milliseconds(500)

    // MARK: Workers

    /// Most tasks that one worker runs at once.
    public var concurrency = 256
    /// How long a task stays with a worker that shows no sign of life. A worker renews the lease of what it runs every
    /// fifth of this time; others look every tenth, and take over what has not been renewed for 7 tenths of it.
    public var lease: Duration = .seconds(5)
    /// How long a handler may take.
    public var taskTimeout: Duration = .seconds(30)
    /// When, and how often, a failed task is run again.
    public var retry = RetryPolicy()
    /// Most entries in the dead-letter stream; beyond it the oldest are dropped and counted.
    public var deadLetterLimit = 10_000

    /// Describes a queue with the default bounds.
    public init(name: String) {
        precondition(!name.isEmpty && name.utf8.allSatisfy(Self.isAllowed), "a queue's name is lower-case and plain")
        self.name = name
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// How often a worker looks after the queue.
    var patrolInterval: Duration { lease / 10 }
    /// For how long it counts that a worker has said that it can work.
    var abilityLifetime: Duration { patrolInterval * 3 }

    /// What is set aside for the result of a tracked task until it is there.
    static let resultReservationBytes = 64 * 1024
    /// What the state of a tracked task takes besides its result.
    static let stateBytes = 512

    /// How long the state of a tracked task without a deadline is kept before it ends.
    static let unfinishedTimeToLive = Duration.seconds(7 * 24 * 3600)
}

/// The keys of a queue. The braces make a Redis Cluster keep them together, as scripts need.
struct QueueKeys: Sendable {
    /// The consumer group of all workers.
    static let group = "workers"

    /// Tasks that wait or run: one entry each, removed when the task has ended.
    let stream: String
    /// Tasks given up.
    let dead: String
    /// Tasks to be run again later, by due time.
    let delayed: String
    /// Workers that can work, by when they last said so.
    let able: String
    /// Exists while the queue is paused.
    let paused: String
    /// Counters since the beginning.
    let totals: String
    /// Written to find out whether Redis takes writes.
    let probe: String
    /// Pub/sub channel for ``ControlMessage``.
    let control: String
    /// Tracked tasks whose state is kept, by when it expires.
    let kept: String
    /// How many bytes each of them counts for, and under `total` all.
    let keptBytes: String
    /// Before a task's id: its state.
    let taskPrefix: String
    /// Before a submitter's name: the channel of its results.
    let replyPrefix: String

    init(queue name: String) {
        let base = "q:{\(name)}:"
        stream = base + "stream"
        dead = base + "dead"
        delayed = base + "delayed"
        able = base + "able"
        paused = base + "paused"
        totals = base + "totals"
        probe = base + "probe"
        control = base + "control"
        kept = base + "kept"
        keptBytes = base + "kept_bytes"
        taskPrefix = base + "task:"
        replyPrefix = base + "reply:"
    }

    func task(_ id: TaskID) -> String { taskPrefix + id.description }
}

/// What is said on a queue's control channel. Only hints: the truth is in the keys, and workers look there regularly.
enum ControlMessage: String {
    case pause, resume
    /// There is something to take over now.
    case patrol
}
