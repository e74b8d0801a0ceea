public import JSONWire
internal import Redis
internal import RedisStreams

/// The state of a queue at one moment, by Redis' clock.
public struct QueueStatistics: Sendable, Equatable {
    /// A worker, as the consumer group knows it.
    public struct Consumer: Sendable, Equatable {
        /// Its name in the group.
        public let name: String
        /// Tasks that it holds.
        public let pending: Int
        /// How long ago it last read or claimed something.
        public let idle: Duration
    }

    /// Tasks that wait for a worker.
    public let queued: Int
    /// Tasks that a worker holds.
    public let running: Int
    /// Tasks that wait for a retry.
    public let delayed: Int
    /// Tasks that were given up.
    public let dead: Int
    /// The age of the oldest task that waits or runs; nil when there is none.
    public let oldestAge: Duration?
    /// Whether workers take no tasks.
    public let isPaused: Bool
    /// The workers, dead ones that have not been removed yet included.
    public let consumers: [Consumer]
    /// Counters since the beginning: `submitted`, `refused`, `succeeded`, `failed`, `expired`, `retried`, `dead`,
    /// `dead_dropped`, `taken_over`.
    public let totals: [String: Int]

    /// Tasks in the queue, as the depth limit counts them.
    public var depth: Int { queued + running + delayed }

    init?(_ reply: RedisReply) {
        guard let parts = reply.array, parts.count == 8,
            let length = parts[0].integer, let pending = parts[1].integer,
            let delayed = parts[2].integer, let dead = parts[3].integer,
            let isPaused = parts[4].integer, let age = parts[5].integer,
            let consumers = parts[6].array, let totals = parts[7].fields
        else { return nil }
        queued = max(0, Int(length - pending))
        running = Int(pending)
        self.delayed = Int(delayed)
        self.dead = Int(dead)
        oldestAge = age < 0 ? nil : .milliseconds(age)
        self.isPaused = isPaused != 0
        self.consumers = consumers.compactMap { consumer in
            guard let fields = consumer.fields, let name = fields["name"]?.text,
                let pending = fields["pending"]?.integer, let idle = fields["idle"]?.integer
            else { return nil }
            return Consumer(name: name, pending: Int(pending), idle: .milliseconds(idle))
        }
        self.totals = totals.compactMapValues { $0.integer.map { Int($0) } }
    }
}

/// A task in the queue.
public struct QueuedTask: Sendable, Equatable {
    /// How far a task is.
    public enum State: Sendable, Equatable {
        /// It waits for a worker.
        case queued
        /// A worker holds it.
        case running(consumer: String, idle: Duration, deliveries: Int)
        /// It waits for a retry.
        case delayed(dueIn: Duration)
    }

    /// As its submitter was told it; the same in each retry.
    public let id: TaskID
    /// The name of its handler.
    public let name: String
    /// What its handler gets.
    public let arguments: JSONValue
    /// When it was submitted, as time since 1970-01-01T00:00:00Z.
    public let createdAt: Duration
    /// Which run is next or under way, as far as the envelope knows.
    public let attempt: Int
    /// The id of the request that caused it.
    public let requestID: String?
    /// How far it is.
    public let state: State

    init?(_ reply: RedisReply) {
        guard let parts = reply.array, parts.count == 5, let text = parts[0].bytes,
            let envelope = TaskEnvelope(parsing: text.span), let kind = parts[1].text,
            let time = parts[3].integer, let deliveries = parts[4].integer
        else { return nil }
        id = envelope.id
        name = envelope.name
        arguments = envelope.arguments
        createdAt = .milliseconds(envelope.createdAtMilliseconds)
        attempt = envelope.attempt
        requestID = envelope.requestID
        switch kind {
        case "running":
            state = .running(consumer: parts[2].text ?? "", idle: .milliseconds(time), deliveries: Int(deliveries))
        case "delayed": state = .delayed(dueIn: .milliseconds(time))
        default: state = .queued
        }
    }
}

/// A task that was given up.
public struct DeadLetter: Sendable, Equatable {
    /// Its place in the dead-letter stream.
    public let entry: String
    /// Its place in the queue when it was given up.
    let originalEntry: String
    /// The task; nil when its envelope cannot be read.
    public let taskID: TaskID?
    /// The name of its handler; nil when its envelope cannot be read.
    public let name: String?
    /// What its handler got.
    public let arguments: JSONValue?
    /// The id of the request that caused it.
    public let requestID: String?
    /// When it was submitted, as time since 1970-01-01T00:00:00Z.
    public let createdAt: Duration?
    /// When it was given up, as time since 1970-01-01T00:00:00Z.
    public let diedAt: Duration
    /// How often it was run.
    public let attempts: Int
    /// Why it was given up.
    public let failure: TaskFailure

    private let envelope: TaskEnvelope?

    init?(_ reply: RedisReply) {
        guard let parts = reply.array, parts.count == 2,
            let entry = parts[0].text, let place = StreamPosition(entry),
            let fields = parts[1].fields,
            case .failure(let failure)? = fields["outcome"]?.bytes.flatMap({ TaskOutcome(encoded: $0.span) })
        else { return nil }
        envelope = fields["e"]?.bytes.flatMap { TaskEnvelope(parsing: $0.span) }
        self.entry = entry
        originalEntry = fields["entry"]?.text ?? ""
        taskID = envelope?.id
        name = envelope?.name
        arguments = envelope?.arguments
        requestID = envelope?.requestID
        createdAt = envelope.map { .milliseconds($0.createdAtMilliseconds) }
        diedAt = .milliseconds(place.milliseconds)
        attempts = Int(fields["attempts"]?.integer ?? 0)
        self.failure = failure
    }

    /// The envelope of a new life; nil when there is nothing that could be run.
    var replayed: [UInt8]? {
        guard var envelope else { return nil }
        envelope.attempt = 1
        envelope.timeLimitMilliseconds = nil
        envelope.ageMilliseconds = 0
        envelope.replyKey = nil
        return envelope.encoded()
    }
}

/// Which dead letters are meant: those that fit everything that is said here.
public struct DeadLetterFilter: Sendable, Equatable {
    /// The id of the one task that is meant.
    public var id: TaskID?
    /// The name of the task's handler.
    public var name: String?
    /// The code of the failure.
    public var code: String?

    /// All of them, unless something is said.
    public init(id: TaskID? = nil, name: String? = nil, code: String? = nil) {
        self.id = id
        self.name = name
        self.code = code
    }

    func takes(_ letter: DeadLetter) -> Bool {
        (id == nil || letter.taskID == id) && (name == nil || letter.name == name)
            && (code == nil || letter.failure.code == code)
    }
}

/// All that a queue knows of one task.
public struct TaskRecord: Sendable, Equatable {
    /// As its submitter was told it; the same in each retry.
    public let id: TaskID
    /// What is kept for those who ask for its result; nil if nobody is to.
    public let status: TaskStatus?
    /// Its place in the queue, while it waits or runs.
    public let queued: QueuedTask?
    /// Why it was given up, if it was.
    public let deadLetter: DeadLetter?
}
