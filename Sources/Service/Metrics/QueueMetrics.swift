internal import Metrics
internal import Reactor
internal import Redis
public import TaskQueue

extension Metric {
    // The queue as all see it
    fileprivate static let up = gauge(
        "tickloop_queue_up",
        "Whether Redis said how the queue is; if not, there are no figures of the queue.",
        labels: "queue"
    )
    fileprivate static let tasks = gauge(
        "tickloop_queue_tasks",
        "Tasks in the queue, by state; the same from every process.",
        labels: "queue",
        "state"
    )
    fileprivate static let oldest = gauge(
        "tickloop_queue_oldest_task_age_seconds",
        "Age of the oldest task that waits or runs; 0 without one.",
        labels: "queue"
    )
    fileprivate static let paused = gauge(
        "tickloop_queue_paused",
        "Whether an operator has paused the queue.",
        labels: "queue"
    )

    // Who submits
    fileprivate static let submitted = counter("tickloop_queue_submitted_total", "Tasks submitted by this process.")
    fileprivate static let joined = counter(
        "tickloop_queue_joined_total",
        "Callers who were given the task of another with the same question."
    )
    fileprivate static let outcomes = counter(
        "tickloop_queue_outcomes_total",
        "What callers were told; unclaimed are results that nobody waited for any more.",
        labels: "outcome"
    )
    fileprivate static let waiters = gauge("tickloop_queue_waiters", "Callers that wait for a result.")
    fileprivate static let waiterLimit = gauge(
        "tickloop_queue_waiters_limit",
        "Callers that may wait; further ones get 503."
    )
    fileprivate static let depthLimit = gauge(
        "tickloop_queue_tasks_limit",
        "Tasks that may be in the queue; further ones get 503."
    )

    // Who runs
    fileprivate static let waits = histogram(
        "tickloop_task_wait_duration_seconds",
        "Time from a task's submission to its first start."
    )
    fileprivate static let runTimes = histogram(
        "tickloop_task_run_duration_seconds",
        "Time that the handler took for a task; tasks of a batch take equally long.",
        labels: "task"
    )
    fileprivate static let held = gauge("tickloop_task_running", "Tasks that this worker runs now.")
    fileprivate static let slots = gauge("tickloop_task_running_limit", "Tasks that this worker may run at once.")
    fileprivate static let fetched = counter("tickloop_task_fetched_total", "Tasks read from the queue.")
    fileprivate static let attempts = counter(
        "tickloop_task_attempts_total",
        "Runs of tasks that ended, by result.",
        labels: "result"
    )
    fileprivate static let retried = counter("tickloop_task_retries_total", "Failed tasks that are to be run again.")
    fileprivate static let dead = counter("tickloop_task_dead_total", "Failed tasks given up as dead letters.")
    fileprivate static let expired = counter(
        "tickloop_task_expired_total",
        "Tasks dropped because nobody waited any more."
    )
    fileprivate static let takenOver = counter(
        "tickloop_task_takeovers_total",
        "Tasks taken over from a worker that showed no sign of life."
    )
    fileprivate static let renewed = counter("tickloop_task_lease_renewals_total", "Leases renewed.")
    fileprivate static let lost = counter(
        "tickloop_task_leases_lost_total",
        "Leases that another worker had taken when they were to be renewed."
    )
    fileprivate static let superseded = counter(
        "tickloop_task_superseded_total",
        "Results dropped because another worker had ended the task."
    )
}

extension MetricsRegistry {
    /// Adds what the side counts that puts tasks in, and how the queue is.
    public func add(_ queue: TaskQueueClient) {
        add(queue.commands, reader: "replies") { queue.replyCounters }
        add(QueueSample(queue.configuration, queue.commands))
        add { page in
            let counters = queue.counters
            page.add(.submitted, counters.submitted)
            page.add(.joined, counters.joined)
            page.add(.outcomes, counters.answered, ["answered"])
            page.add(.outcomes, counters.overloaded, ["overloaded"])
            page.add(.outcomes, counters.unavailable, ["unavailable"])
            page.add(.outcomes, counters.late, ["late"])
            page.add(.outcomes, counters.unclaimed, ["unclaimed"])
            page.add(.waiters, queue.waiterCount)
            page.add(.waiterLimit, queue.configuration.waiterLimit)
            page.add(.depthLimit, queue.configuration.depthLimit)
        }
    }

    /// Adds what a worker counts, and how the queue is.
    public func add(_ worker: TaskWorker) {
        add(worker.commands, reader: "tasks") { worker.fetchingCounters }
        add(QueueSample(worker.configuration, worker.commands))
        add { page in
            let counters = worker.counters
            page.add(.waits, worker.waits)
            for (name, times) in worker.runTimes.sorted(by: { $0.key < $1.key }) {
                page.add(.runTimes, times, [name])
            }
            page.add(.held, worker.taskCount)
            page.add(.slots, worker.configuration.concurrency)
            page.add(.fetched, counters.fetched)
            page.add(.attempts, counters.succeeded, ["succeeded"])
            page.add(.attempts, counters.failed, ["failed"])
            page.add(.retried, counters.retried)
            page.add(.dead, counters.dead)
            page.add(.expired, counters.expired)
            page.add(.takenOver, counters.takenOver)
            page.add(.renewed, counters.leasesRenewed)
            page.add(.lost, counters.leasesLost)
            page.add(.superseded, counters.superseded)
        }
    }

    private func add(_ sample: QueueSample) {
        add(refresh: { await sample.refresh() }) { page in
            page.add(.up, sample.statistics != nil, [sample.queue])
            guard let statistics = sample.statistics else { return }
            page.add(.tasks, statistics.queued, [sample.queue, "queued"])
            page.add(.tasks, statistics.running, [sample.queue, "running"])
            page.add(.tasks, statistics.delayed, [sample.queue, "delayed"])
            page.add(.tasks, statistics.dead, [sample.queue, "dead"])
            page.add(.oldest, statistics.oldestAge ?? .zero, [sample.queue])
            page.add(.paused, statistics.isPaused, [sample.queue])
        }
    }
}

/// How the queue was when Redis was last asked, which nobody makes happen more often than once a second.
@ReactorActor
private final class QueueSample {
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
}
