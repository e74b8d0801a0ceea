internal import HTTPServer
internal import HTTPWire
internal import JSONWire
public import Reactor
public import TaskQueue
public import WebAPI

/// `GET /tasks/{id}`: how far a task is that was accepted with 202.
@ReactorActor
public struct TaskRoute {
    private let queue: TaskQueueClient
    private let needs: Scope?

    /// Tells of the tasks of a queue.
    ///
    /// - Parameter scope: What the token of a caller must allow, where tokens are asked for.
    public init(_ queue: TaskQueueClient, needs scope: Scope? = .admin) {
        self.queue = queue
        needs = scope
    }

    /// 200 also for a task that failed, whose error is a part of the answer; 404 for one that nothing is known of.
    public var route: Route {
        Route(.get, "/tasks/{id}", needs: needs, Self.documentation) {
            context async throws(APIError) in
            try await answer(context.parameters["id"])
        }
    }

    nonisolated static let id = Schema.string(format: "uuid")
    nonisolated static let exampleID = "01a1fd76-c4ba-78d7-ac0f-73e05585ea05"

    private static let documentation = RouteDocumentation(
        "State, and result or error, of a task",
        details: "A result is kept for the time of `queue.result_ttl_s`, one hour unless configured otherwise.",
        in: RouteGroup("Tasks", "Work that was accepted with 202."),
        parameters: [.path("id", "The id that came with the 202.", id, example: .string(exampleID))],
        answers: [
            .json(
                .ok,
                "How far the task is: with `result` once it has `succeeded`, with `error` once it has `failed` or "
                    + "`expired`.",
                .object(
                    [
                        "id": id, "name": .string(), "status": .word(TaskStatus.State.Word.allCases.map(\.rawValue)),
                        "created_at": .timestamp, "result": .anything, "error": APIError.schema,
                    ],
                    optional: ["result", "error"]
                )
                .named("Task"),
                example: [
                    "id": .string(exampleID), "name": "prices.average", "status": "succeeded",
                    "created_at": "2026-11-21T09:36:21.690Z",
                    "result": ["data": [["date": "2025-01-06", "average_price": .number("100.38")]]],
                ]
            )
        ],
        errors: [.unknownTask] + APIError.ofQueue
    )

    private func answer(_ text: String) async throws(APIError) -> HTTPResponse {
        guard let id = TaskID(text) else { throw .unknownTask }
        let found: TaskStatus?
        do {
            found = try await queue.status(of: id)
        } catch {
            throw APIError(error)
        }
        guard let found else { throw .unknownTask }
        return HTTPResponse(json: Self.body(of: found))
    }

    static func body(of status: TaskStatus) -> [UInt8] {
        var writer = JSONWriter(capacity: 256)
        writer.object { writer in
            writer.member("id", status.id.description)
            writer.member("name", status.name)
            writer.member("status", status.state.word.rawValue)
            writer.member("created_at", Timestamp(unixTime: status.createdAt).description)
            switch status.state {
            case .succeeded(let result):
                writer.key("result")
                writer.raw(result)
            case .failed(let failure):
                let error = APIError(failure)
                writer.key("error")
                writer.raw(error.body)
            case .expired:
                writer.key("error")
                writer.raw(APIError.upstreamTimeout.body)
            case .queued, .running:
                break
            }
        }
        return writer.take()
    }
}

extension APIError {
    static let unknownTask = APIError(.notFound, "There is no task of this id, or its result has expired.")
}

extension TaskStatus.State {
    /// The states as clients read them.
    fileprivate enum Word: String, CaseIterable {
        case queued, running, succeeded, failed, expired
    }

    fileprivate var word: Word {
        switch self {
        case .queued: .queued
        case .running: .running
        case .succeeded: .succeeded
        case .failed: .failed
        case .expired: .expired
        }
    }
}
