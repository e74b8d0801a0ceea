internal import HTTPServer
internal import HTTPWire
internal import JSONWire
public import Reactor
public import TaskQueue
internal import Tracing
public import WebAPI

// Tasks as clients see them: asked for by a request that waits, or that asks later.

extension TaskRequest {
    /// A task that a request causes, with its deadline and everything that names it.
    ///
    /// - Parameter arguments: One complete JSON value.
    @ReactorActor
    public init(_ name: String, encodedArguments arguments: String, for context: RequestContext) {
        self.init(
            name: name,
            encodedArguments: arguments,
            deadline: context.deadline,
            requestID: context.identity.requestID.description,
            traceparent: context.identity.trace.description
        )
        tracestate = context.identity.traceState
        span = context.span
    }
}

extension TaskQueueClient {
    /// Answers a request with the result of a task, or, if it prefers so, with where to ask for it.
    public func answer(_ context: RequestContext, with task: TaskRequest) {
        if Preferences(context.head.fields).respondsAsync { accept(task, context) } else { wait(for: task, context) }
    }

    private func wait(for task: TaskRequest, _ context: RequestContext) {
        submitAndWait(task) { result in
            switch result {
            case .success(.success(let body)): context.respond(HTTPResponse(json: body))
            case .success(.failure(let failure)): context.fail(APIError(failure))
            case .success(.expired): context.fail(.upstreamTimeout)
            case .failure(let error): context.fail(APIError(error))
            }
        }
    }

    private func accept(_ task: TaskRequest, _ context: RequestContext) {
        var task = task
        // Who asks later is in no hurry; who waits is gone at the deadline.
        task.deadline = nil
        Reactor.spawn { [self, task] in
            do throws(APIError) {
                context.respond(try await accepted(task))
            } catch {
                context.fail(error)
            }
        }
    }

    private func accepted(_ task: TaskRequest) async throws(APIError) -> HTTPResponse {
        let id: TaskID
        do {
            id = try await submitTracked(task)
        } catch {
            throw APIError(error)
        }
        var writer = JSONWriter(capacity: 72)
        writer.object { writer in
            writer.member("id", id.description)
            writer.member("status", "queued")
        }
        var response = HTTPResponse(json: writer.take(), status: .accepted)
        response.fields.append("Location", "/tasks/\(id)")
        // RFC 7240 §3: tells that the preference was taken up.
        response.fields.append("Preference-Applied", Preferences.respondAsync)
        return response
    }
}

extension RouteAdditions {
    /// What callers may know of a route that ``TaskQueue/TaskQueueClient/answer(_:with:)`` answers.
    public static let task = RouteAdditions(
        parameters: [Preferences.documentedParameter],
        answers: [
            .json(
                .accepted,
                "The task is queued, as the request preferred; ask for its result at `Location`.",
                fields: [
                    AnswerField("Location", "Where the task is.", example: .string("/tasks/\(TaskRoute.exampleID)")),
                    AnswerField(
                        "Preference-Applied",
                        "The preference that was taken up.",
                        .word([Preferences.respondAsync]),
                        example: .string(Preferences.respondAsync)
                    ),
                ],
                .object(["id": TaskRoute.id, "status": .word(["queued"])]).named("AcceptedTask"),
                example: ["id": .string(TaskRoute.exampleID), "status": "queued"]
            )
        ],
        errors: APIError.ofQueue
    )
}

extension APIError {
    /// What a client may be told when the queue, or the task in it, did not do as it was asked.
    static let ofQueue: [APIError] = [.overloaded, .unavailable, .upstreamTimeout]

    /// What a client is told when a task could not be submitted, or its outcome did not come.
    init(_ error: TaskQueueError) {
        switch error {
        case .overloaded: self = .overloaded
        case .unavailable: self = .unavailable
        case .deadlineExceeded: self = .upstreamTimeout
        case .tooLarge: self = APIError(.payloadTooLarge, "The request is too large to be queued.")
        }
    }

    /// What a client is told when the task itself failed.
    init(_ failure: TaskFailure) {
        switch failure.kind {
        case .unavailable: self = .unavailable
        case .overloaded: self = .overloaded
        case .timedOut: self = .upstreamTimeout
        case .internalError: self = .internalError
        }
    }
}
