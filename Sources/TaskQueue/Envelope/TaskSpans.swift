internal import Basics
internal import Reactor
internal import Tracing

/// What is said of a task, as OpenTelemetry's "Semantic Conventions for Messaging Spans" 1.27 have it.
extension Tracer {
    /// Starts the span of one run of a task, below the span of the request that caused it.
    ///
    /// - Parameters:
    ///   - count: Tasks that are handed over together.
    ///   - queue: The queue's name.
    func start(_ task: HeldTask, of count: Int, from queue: String) -> TraceSpan? {
        guard let parent = task.envelope.traceparent.flatMap({ TraceContext(parsing: $0) }) else { return nil }
        let (name, state) = (task.envelope.name, task.envelope.tracestate)
        guard let span = start("process \(name)", .consumer, below: parent, traceState: state) else { return nil }
        span.set("messaging.system", "redis")
        span.set("messaging.operation.name", "process")
        span.set("messaging.operation.type", "process")
        span.set("messaging.destination.name", .text(queue))
        span.set("messaging.consumer.group.name", .text(QueueKeys.group))
        span.set("messaging.message.id", .text(task.envelope.id.description))
        if count > 1 { span.set("messaging.batch.message_count", .integer(count)) }
        span.set("tickloop.task.name", .text(name))
        span.set("tickloop.task.attempt", .integer(task.attempt))
        let wait = (Reactor.now - task.submittedAt).wholeMilliseconds
        span.set("tickloop.task.wait_ms", .integer(max(0, wait)))
        if let id = task.envelope.requestID { span.set("tickloop.request_id", .text(id)) }
        return span
    }
}

extension TraceSpan {
    func end(with result: TaskResult) {
        if case .failure(let failure) = result { fail(failure.code, failure.message) }
        end()
    }

    /// Ends the span of a run that is stopped without an end; another worker runs the task again.
    func endAbandoned() {
        fail("ABANDONED", "The worker stopped before the task ended.")
        end()
    }
}

extension WaitedTask {
    /// Says in the spans who waits for which task.
    ///
    /// The task belongs to the trace of the first of them whose trace is recorded, so that a recorded request always
    /// leads to the work that answered it: directly, or by a link from its span to that one's.
    func trace(_ request: TaskRequest) {
        guard let span = request.span else { return }
        span.set("messaging.message.id", .text(id.description))
        guard let owner = self.request.span else {
            self.request.span = span
            self.request.traceparent = request.traceparent
            self.request.tracestate = request.tracestate
            return
        }
        guard owner !== span else { return }
        span.set("tickloop.task.shared", true)
        span.link(to: owner.context)
    }
}
