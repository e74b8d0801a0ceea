public import Configuration

/// `[queue]`: the task queue, as the side that puts tasks in and the side that runs them see it.
public enum QueueSettings {
    /// The name of the queue.
    public static let name = ConfigurationKey<String>.text(
        "queue.name",
        default: "tasks",
        length: 1...64,
        form: "a word of lower-case letters, digits, -, _ and .",
        "Name of the queue; part of its keys in Redis"
    ) { name in
        name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
    }

    /// How long results are kept.
    public static let resultLifetime = ConfigurationKey<Duration>.seconds(
        "queue.result_ttl_s",
        default: 3600,
        in: 1...604_800,
        "Time that the result of a task is kept for GET /tasks/{id}"
    )

    /// Tasks that may wait in the queue.
    public static let maxDepth = ConfigurationKey<Int>.integer(
        "queue.max_depth",
        default: 10_000,
        in: 1...10_000_000,
        "Tasks that may be in the queue; past that, new ones get 503 OVERLOADED"
    )

    /// Results that may be kept.
    public static let maxResults = ConfigurationKey<Int>.integer(
        "queue.max_results_mib",
        default: 96,
        in: 1...1_000_000,
        "MiB of results kept for GET /tasks/{id}; an unfinished task counts as 64 KiB. Past that, 503 OVERLOADED"
    )

    /// Requests that may wait for a result.
    public static let maxWaiting = ConfigurationKey<Int>.integer(
        "queue.max_waiting",
        default: 4096,
        in: 1...1_000_000,
        "Requests of this process that may wait for a result; past that, new ones get 503 OVERLOADED"
    )

    /// Tasks that a worker runs at once.
    public static let concurrency = ConfigurationKey<Int>.integer(
        "queue.concurrency",
        default: 256,
        in: 1...4096,
        "Tasks that one worker runs at once"
    )

    /// How long a worker may be silent before its tasks are taken over.
    public static let lease = ConfigurationKey<Duration>.milliseconds(
        "queue.lease_ms",
        default: 5000,
        in: 200...600_000,
        "Time without a sign of life of a worker after which others take its tasks over"
    )

    /// How often a task is tried.
    public static let maxAttempts = ConfigurationKey<Int>.integer(
        "queue.max_attempts",
        default: 3,
        in: 1...100,
        "Times that a task is tried before it goes to the dead letters"
    )

    /// The longest first wait before a retry.
    public static let retryFirst = ConfigurationKey<Duration>.milliseconds(
        "queue.retry_first_ms",
        default: 100,
        in: 1...60_000,
        "Longest wait before the second attempt; it doubles with each further one"
    )

    /// The longest wait before any retry.
    public static let retryCap = ConfigurationKey<Duration>.milliseconds(
        "queue.retry_cap_ms",
        default: 60_000,
        in: 1...3_600_000,
        "Longest wait before any attempt"
    )

    /// Dead letters kept.
    public static let maxDead = ConfigurationKey<Int>.integer(
        "queue.max_dead",
        default: 10_000,
        in: 1...10_000_000,
        "Dead letters that are kept; past that, the oldest are dropped"
    )

    /// For a service that puts tasks in and waits for their results.
    static let producerSection = ConfigurationSection(
        "queue",
        "The task queue, as the side that puts tasks in",
        name,
        maxDepth,
        maxResults,
        maxWaiting,
        resultLifetime
    )

    /// For a service that runs tasks.
    static let consumerSection = ConfigurationSection(
        "queue",
        "The task queue, as the side that runs tasks",
        name,
        concurrency,
        lease,
        maxAttempts,
        retryFirst,
        retryCap,
        resultLifetime,
        maxDead
    )
}
