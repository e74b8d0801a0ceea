internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Reactor
internal import TaskQueue
internal import WebAPI

/// `GET /tasks/{id}`: how far a task is that was accepted with 202.
@ReactorActor
struct TaskRoute {
    let queue: TaskQueueClient

    var route: Route {
        Route(.get, "/tasks/{id}", "State, and result or error, of a task") {
            context async throws(APIError) in
            try await answer(context.parameters["id"])
        }
    }

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
            writer.member("status", status.state.word)
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
    /// The state as clients read it.
    fileprivate var word: String {
        switch self {
        case .queued: "queued"
        case .running: "running"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .expired: "expired"
        }
    }
}
