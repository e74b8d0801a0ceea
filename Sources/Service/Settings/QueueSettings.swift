public import Configuration
public import TaskQueue

/// `[queue]`: the task queue, as the side that puts tasks in and the side that runs them see it.
public enum QueueSettings {
    private static let name = Key(
        "name",
        \TaskQueueConfiguration.name,
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

    private static let depthLimit = Key(
        "max_depth",
        \TaskQueueConfiguration.depthLimit,
        in: 1...10_000_000,
        "Tasks that may be in the queue; past that, new ones get 503 OVERLOADED"
    )

    private static let resultLifetime = Key(
        "result_ttl_s",
        \TaskQueueConfiguration.resultTimeToLive,
        in: 1...604_800,
        "Time that the result of a task is kept for GET /tasks/{id}"
    )

    /// For a service that puts tasks in and waits for their results.
    public static let producer = ConfigurationTable(
        "queue",
        "The task queue, as the side that puts tasks in",
        TaskQueueConfiguration(name: "tasks")
    ) {
        name
        depthLimit
        Key(
            "max_results_mib",
            \.resultMebibytesLimit,
            in: 1...1_000_000,
            "MiB of results kept for GET /tasks/{id}; an unfinished task counts as 64 KiB. Past that, 503 OVERLOADED"
        )
        Key(
            "max_waiting",
            \.waiterLimit,
            in: 1...1_000_000,
            "Requests of this process that may wait for a result; past that, new ones get 503 OVERLOADED"
        )
        resultLifetime
    }

    /// For a service that puts tasks in and waits for none.
    public static let feeder = ConfigurationTable(
        "queue",
        "The task queue, as the side that puts tasks in",
        TaskQueueConfiguration(name: "tasks")
    ) {
        name
        depthLimit
    }

    /// For a service that runs tasks.
    public static let consumer = ConfigurationTable(
        "queue",
        "The task queue, as the side that runs tasks",
        TaskQueueConfiguration(name: "tasks")
    ) {
        name
        Key("concurrency", \.concurrency, in: 1...4096, "Tasks that one worker runs at once")
        Key(
            "lease_ms",
            \.lease,
            in: 200...600_000,
            "Time without a sign of life of a worker after which others take its tasks over"
        )
        Key(
            "max_attempts",
            \.retry.attemptLimit,
            in: 1...100,
            "Times that a task is tried before it goes to the dead letters"
        )
        Key(
            "retry_first_ms",
            \.retry.firstDelay,
            in: 1...60_000,
            "Longest wait before the second attempt; it doubles with each further one"
        )
        Key("retry_cap_ms", \.retry.delayCap, in: 1...3_600_000, "Longest wait before any attempt")
        resultLifetime
        Key(
            "max_dead",
            \.deadLetterLimit,
            in: 1...10_000_000,
            "Dead letters that are kept; past that, the oldest are dropped"
        )
    }
}

extension TaskQueueConfiguration {
    /// ``resultBytesLimit`` in the unit of its key.
    fileprivate var resultMebibytesLimit: Int {
        get { resultBytesLimit >> 20 }
        set { resultBytesLimit = newValue << 20 }
    }
}
