internal import HTTPWire
internal import Reactor
internal import TaskAPI
internal import TaskQueue
internal import WebAPI

/// `GET /prices/average`, declared once for the roles that serve it.
enum AverageRoutes {
    /// Of the route of either role, whatever it is told.
    static let name = operation(rangeDaysMax: AverageLimitSettings().rangeDaysMax).name

    /// The gateway's route: checks, answers from the cache if there is one, else asks the internal API.
    @ReactorActor
    static func relayed(by api: Relay, cache: RelayCache?, rangeDaysMax: Int) -> Route {
        operation(rangeDaysMax: rangeDaysMax).relayed(by: api, cache: cache).tagged
    }

    /// The internal API's route: checks; the work is a task, and the client waits for it, or is told where to ask.
    static func answered(by queue: TaskQueueClient, rangeDaysMax: Int) -> Route {
        operation(rangeDaysMax: rangeDaysMax).answeredDirectly(adding: .task) { question, context in
            queue.answer(
                context,
                with: TaskRequest(AverageTask.name, encodedArguments: question.taskArguments, for: context)
            )
        }
        .tagged
    }

    private static func operation(rangeDaysMax: Int) -> Operation<AverageRequest> {
        Operation(
            .get,
            "/prices/average",
            needs: .pricesRead,
            AverageRequest.documentation(rangeDaysMax: rangeDaysMax),
            faulty: AverageRequest.faultyQueries.map { RequestContent(target: "/prices/average?\($0)") }
        ) { request throws(APIError) in
            try AverageRequest(request, rangeDaysMax: rangeDaysMax)
        }
    }
}
