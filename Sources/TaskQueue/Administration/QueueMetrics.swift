package import Metrics
internal import Reactor
internal import Redis

extension TaskQueueClient: Measured {
    package func refresh() async { await sample.refresh() }

    package func collect(into page: inout MetricsPage) {
        commands.collect(into: &page)
        page.labelled("connection", "replies") { $0.add(replyCounters) }
        sample.collect(into: &page)
        page.add(counters)
        page.gauge(
            "tickloop_queue_waiters",
            "Callers that wait for a result.",
            waiterCount
        )
        page.gauge(
            "tickloop_queue_waiters_limit",
            "Callers that may wait; further ones get 503.",
            configuration.waiterLimit
        )
        page.gauge(
            "tickloop_queue_tasks_limit",
            "Tasks that may be in the queue; further ones get 503.",
            configuration.depthLimit
        )
    }
}

extension TaskWorker: Measured {
    package func refresh() async { await sample.refresh() }

    package func collect(into page: inout MetricsPage) {
        commands.collect(into: &page)
        page.labelled("connection", "tasks") { $0.add(fetchingCounters) }
        sample.collect(into: &page)
        page.add(waits)
        for times in runTimes { page.add(times) }
        page.add(.gauge("tickloop_task_running", "Tasks that this worker runs now.").announced(), taskCount)
        page.gauge(
            "tickloop_task_running_limit",
            "Tasks that this worker may run at once.",
            configuration.concurrency
        )
        page.add(counters)
    }
}

/// How the queue was when Redis was last asked, which nobody makes happen more often than once a second.
@ReactorActor
final class QueueSample {
    private static let lifetime = Duration.seconds(1)
    /// A scrape must not wait for a Redis that does not answer, so that it has something to tell about it.
    private static let patience = Duration.milliseconds(250)

    let queue: String
    private let administration: TaskQueueAdministration
    private(set) var statistics: QueueStatistics?
    private var askedAt: Instant?

    init(_ configuration: TaskQueueConfiguration, _ redis: RedisClient) {
        queue = configuration.name
        administration = TaskQueueAdministration(configuration, redis: redis)
    }

    func refresh() async {
        let now = Reactor.now
        if let askedAt, now - askedAt < Self.lifetime { return }
        askedAt = now
        statistics = try? await administration.statistics(within: Self.patience)
    }

    private static let tasks = Metric.gauge(
        "tickloop_queue_tasks",
        "Tasks in the queue, by state; the same from every process.",
        labels: "state"
    )

    func collect(into page: inout MetricsPage) {
        page.labelled("queue", queue) { page in
            page.gauge(
                "tickloop_queue_up",
                "Whether Redis said how the queue is; if not, there are no figures of the queue.",
                statistics != nil
            )
            guard let statistics else { return }
            page.add(Self.tasks, statistics.queued, ["queued"])
            page.add(Self.tasks, statistics.running, ["running"])
            page.add(Self.tasks, statistics.delayed, ["delayed"])
            page.add(Self.tasks, statistics.dead, ["dead"])
            page.gauge(
                "tickloop_queue_oldest_task_age_seconds",
                "Age of the oldest task that waits or runs; 0 without one.",
                statistics.oldestAge ?? .zero
            )
            page.gauge(
                "tickloop_queue_paused",
                "Whether an operator has paused the queue.",
                statistics.isPaused
            )
        }
    }
}
