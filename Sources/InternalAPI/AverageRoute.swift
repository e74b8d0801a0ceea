internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Prices
internal import Reactor
internal import TaskQueue
internal import Tracing
internal import WebAPI

/// `GET /prices/average` on the internal API: the work is a task, and the client waits for it, or is told where to ask.
@ReactorActor
struct AverageRoute {
    let queue: TaskQueueClient
    let rangeDaysMax: Int

    var route: Route {
        .direct(.get, "/prices/average", documentation) {
            context throws(APIError) in try answer(context)
        }
    }

    private var documentation: RouteDocumentation {
        AverageRequest.documentation(
            rangeDaysMax: rangeDaysMax,
            adding: [Preferences.documentedParameter],
            answers: [
                .json(
                    .accepted,
                    "The task is queued, as the request preferred; ask for its result at `Location`.",
                    fields: [
                        AnswerField(
                            "Location",
                            "Where the task is.",
                            example: .string("/tasks/\(TaskRoute.exampleID)")
                        ),
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

    private func answer(_ context: RequestContext) throws(APIError) {
        let request = try AverageRequest(context.content, rangeDaysMax: rangeDaysMax)
        let prefersToAskLater = Preferences(context.head.fields).respondsAsync
        var task = TaskRequest(
            name: AverageTask.name,
            encodedArguments: request.taskArguments,
            // Who asks later is in no hurry; who waits is gone at the deadline.
            deadline: prefersToAskLater ? nil : context.deadline,
            requestID: context.identity.requestID.description,
            traceparent: context.identity.trace.description
        )
        task.tracestate = context.identity.traceState
        task.span = context.span
        if prefersToAskLater { accept(task, context) } else { wait(for: task, context) }
    }

    private func wait(for task: TaskRequest, _ context: RequestContext) {
        queue.submitAndWait(task) { result in
            switch result {
            case .success(.success(let body)): context.respond(HTTPResponse(json: body))
            case .success(.failure(let failure)): context.fail(APIError(failure))
            case .success(.expired): context.fail(.upstreamTimeout)
            case .failure(let error): context.fail(APIError(error))
            }
        }
    }

    private func accept(_ task: TaskRequest, _ context: RequestContext) {
        Reactor.spawn {
            do throws(APIError) {
                context.respond(try await accept(task))
            } catch {
                context.fail(error)
            }
        }
    }

    private func accept(_ task: TaskRequest) async throws(APIError) -> HTTPResponse {
        let id: TaskID
        do {
            id = try await queue.submitTracked(task)
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
