internal import Logging
internal import Metrics
internal import Reactor
internal import Tracing

/// Runs tasks in their handlers and says how each ended, exactly once, also when a handler takes too long.
@ReactorActor
final class TaskRunner {
    /// How late a task may be found to have taken too long.
    private static let sweepInterval = Duration.milliseconds(50)

    private struct Registration {
        let handler: any TaskHandler
        let runTime: Histogram
    }

    private let configuration: TaskQueueConfiguration
    private let tracer: Tracer?
    private let logger: Logger
    private var outage = Reminder()
    private var registrations: [String: Registration] = [:]
    /// What was started and that its handler has not finished.
    private var running: [ObjectIdentifier: TaskContext] = [:]
    private lazy var sweepTimer = Timer { [unowned self] in sweep() }

    /// How long the tasks of each handler ran.
    var runTimes: [Histogram] { registrations.sorted { $0.key < $1.key }.map(\.value.runTime) }
    private static let runTime = Metric.histogram(
        "tickloop_task_run_duration_seconds",
        "Time that the handler took for a task; tasks of a batch take equally long.",
        labels: "task"
    )

    /// Tasks that were declared too late while their handler has not finished them: they still occupy the worker.
    private(set) var overdueCount = 0

    /// Called once for each task.
    var onEnded: (HeldTask, TaskResult) -> Void = { _, _ in }

    init(_ configuration: TaskQueueConfiguration, tracer: Tracer?, logger: Logger) {
        self.configuration = configuration
        self.tracer = tracer
        self.logger = logger
    }

    func register(_ name: String, _ handler: any TaskHandler) {
        precondition(registrations[name] == nil, "two handlers for \(name)")
        registrations[name] = Registration(handler: handler, runTime: Histogram(Self.runTime, name))
    }

    /// Starts tasks; those of one name together.
    func run(_ tasks: [HeldTask]) {
        var byName: [(name: String, tasks: [HeldTask])] = []
        for task in tasks {
            if let index = byName.firstIndex(where: { $0.name == task.envelope.name }) {
                byName[index].tasks.append(task)
            } else {
                byName.append((task.envelope.name, [task]))
            }
        }
        for (name, tasks) in byName {
            if let registration = registrations[name] {
                start(tasks, registration)
            } else {
                for task in tasks { end(task, nil, .failure(.unknownTask)) }
            }
        }
    }

    /// Cancels whatever runs; its results are dropped.
    func cancelAll() {
        sweepTimer.cancel()
        for context in running.values { context.abandon() }
        running = [:]
        overdueCount = 0
    }

    private func start(_ tasks: [HeldTask], _ registration: Registration) {
        let timeout = Reactor.now + configuration.taskTimeout
        let runTime = registration.runTime
        let finished = { @ReactorActor [weak self] (context: TaskContext, result: TaskResult?, duration: Duration) in
            runTime.observe(duration)
            self?.finished(context, result)
        }
        let contexts = tasks.map { task in
            TaskContext(
                task,
                span: tracer?.start(task, of: tasks.count, from: configuration.name),
                limit: task.deadline.map { min($0, timeout) } ?? timeout,
                onFinished: finished
            )
        }
        for context in contexts { running[ObjectIdentifier(context)] = context }
        if !sweepTimer.isScheduled { sweepTimer.schedule(after: Self.sweepInterval) }
        registration.handler.start(contexts)
    }

    private func finished(_ context: TaskContext, _ result: TaskResult?) {
        running[ObjectIdentifier(context)] = nil
        if let result {
            end(context.task, context.span, result)
        } else {
            overdueCount -= 1
        }
    }

    private func sweep() {
        let now = Reactor.now
        for context in running.values where context.expire(now) {
            overdueCount += 1
            end(context.task, context.span, .failure(.timedOut))
        }
        if !running.isEmpty { sweepTimer.schedule(after: Self.sweepInterval) }
    }

    private func end(_ task: HeldTask, _ span: TraceSpan?, _ result: TaskResult) {
        span?.end(with: result)
        if case .failure(let failure) = result {
            // One outage makes thousands of them fail.
            let isDue = !failure.isOfSurroundings || outage.isDue(at: Reactor.now) != nil
            logger.log(
                level: isDue ? .warning : .debug,
                "task failed",
                metadata: [
                    "task": "\(task.envelope.name)", "task_id": "\(task.envelope.id)", "attempt": "\(task.attempt)",
                    "code": "\(failure.code)", "request_id": "\(task.envelope.requestID ?? "")",
                ]
            )
        }
        onEnded(task, result)
    }
}
