internal import Logging
internal import Metrics
internal import Reactor
internal import Tracing

/// Runs tasks in their handlers and says how each ended, exactly once, also when a handler takes too long.
@ReactorActor
final class TaskRunner {
    /// How late a task may be found to have taken too long.
    private static let sweepInterval = Duration.milliseconds(50)

    /// A handler and how much it gets at once.
    private struct Registration {
        let handler: any TaskHandler
        let batchLimit: Int
        let runTime = Histogram()
    }

    /// Tasks that were handed to one handler call.
    private final class Batch {
        let tasks: [HeldTask]
        let contexts: [TaskContext]
        let startedAt: Instant
        let runTime: Histogram
        /// When each task has taken too long.
        let limits: [Instant]
        /// Whether the end of each task was announced.
        var isEnded: [Bool]
        var swiftTask: Task<Void, Never>?

        init(
            _ tasks: [HeldTask],
            _ contexts: [TaskContext],
            startedAt: Instant,
            limits: [Instant],
            runTime: Histogram
        ) {
            self.tasks = tasks
            self.contexts = contexts
            self.startedAt = startedAt
            self.runTime = runTime
            self.limits = limits
            isEnded = Array(repeating: false, count: tasks.count)
        }
    }

    private let configuration: TaskQueueConfiguration
    private let tracer: Tracer?
    private let logger: Logger
    private var registrations: [String: Registration] = [:]
    private var batches: [Int: Batch] = [:]
    private var lastBatch = 0
    private lazy var sweepTimer = Timer { [unowned self] in sweep() }

    /// How long the tasks of each handler ran.
    var runTimes: [String: Histogram] { registrations.mapValues(\.runTime) }

    /// Tasks that were declared too late while their handler has not returned: they still occupy the worker.
    private(set) var overdueCount = 0

    /// Called once for each task.
    var onEnded: (HeldTask, TaskResult) -> Void = { _, _ in }

    init(_ configuration: TaskQueueConfiguration, tracer: Tracer?, logger: Logger) {
        self.configuration = configuration
        self.tracer = tracer
        self.logger = logger
    }

    func register(_ name: String, _ handler: any TaskHandler, batchLimit: Int) {
        precondition(registrations[name] == nil, "two handlers for \(name)")
        registrations[name] = Registration(handler: handler, batchLimit: max(1, batchLimit))
    }

    /// Starts tasks; those of one name together, up to the handler's limit.
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
            guard let registration = registrations[name] else {
                for task in tasks { end(task, nil, .failure(.unknownTask)) }
                continue
            }
            for first in stride(from: 0, to: tasks.count, by: registration.batchLimit) {
                start(Array(tasks[first..<min(first + registration.batchLimit, tasks.count)]), registration)
            }
        }
    }

    /// Cancels whatever runs; its results are dropped.
    func cancelAll() {
        sweepTimer.cancel()
        for batch in batches.values {
            batch.swiftTask?.cancel()
            for context in batch.contexts { context.span?.endAbandoned() }
        }
        batches = [:]
        overdueCount = 0
    }

    private func start(_ tasks: [HeldTask], _ registration: Registration) {
        lastBatch += 1
        let number = lastBatch
        let timeout = Reactor.now + configuration.taskTimeout
        let contexts = tasks.map { $0.context(tracer?.start($0, of: tasks.count, from: configuration.name)) }
        let batch = Batch(
            tasks,
            contexts,
            startedAt: Reactor.now,
            limits: contexts.map { context in context.deadline.map { min($0, timeout) } ?? timeout },
            runTime: registration.runTime
        )
        batches[number] = batch
        if !sweepTimer.isScheduled { sweepTimer.schedule(after: Self.sweepInterval) }
        batch.swiftTask = Reactor.spawn { [weak self] in
            let results = await registration.handler.run(contexts)
            self?.returned(number, results)
        }
    }

    private func returned(_ number: Int, _ results: [TaskResult]) {
        // Absent after `cancelAll`.
        guard let batch = batches.removeValue(forKey: number) else { return }
        precondition(results.count == batch.tasks.count, "a handler answers each task of its batch")
        batch.runTime.observe(Reactor.now - batch.startedAt, times: batch.tasks.count)
        for (index, task) in batch.tasks.enumerated() {
            if batch.isEnded[index] {
                overdueCount -= 1
            } else {
                end(task, batch.contexts[index].span, results[index])
            }
        }
    }

    private func sweep() {
        let now = Reactor.now
        for batch in batches.values {
            for (index, task) in batch.tasks.enumerated() where !batch.isEnded[index] && batch.limits[index] <= now {
                batch.isEnded[index] = true
                overdueCount += 1
                end(task, batch.contexts[index].span, .failure(.timedOut))
            }
            if !batch.isEnded.contains(false) { batch.swiftTask?.cancel() }
        }
        if !batches.isEmpty { sweepTimer.schedule(after: Self.sweepInterval) }
    }

    private func end(_ task: HeldTask, _ span: TraceSpan?, _ result: TaskResult) {
        span?.end(with: result)
        if case .failure(let failure) = result {
            logger.warning(
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
