internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Reactor
internal import WebAPI

/// The routes of the simulated providers: what clients of quotes ask, and what tests steer.
@ReactorActor
final class ProviderRoutes {
    private let providers: [SimulatedProvider]

    init() {
        providers = SimulatedProvider.answers.map { SimulatedProvider($0.key, $0.value) }
    }

    var routes: [Route] { [chart, globalQuote, quote, behaviour, change, calls] }

    private static let group = RouteGroup("Providers", "Stand-ins for providers of prices.")
    private static let anyAnswers = [
        RouteAnswer.json(.ok, "What the provider answers, as it behaves now.", .object([:], isOpen: true), example: nil)
    ]

    private func provider(_ name: String) throws(APIError) -> SimulatedProvider {
        guard let provider = providers.first(where: { $0.name == name }) else { throw .notFound }
        return provider
    }

    // MARK: What clients ask

    private var chart: Route {
        Route(
            .get,
            "/v8/finance/chart/{symbol}",
            RouteDocumentation(
                "The latest price of a symbol, as Yahoo's chart API gives it",
                in: Self.group,
                parameters: [.path("symbol", "The symbol.", .string(), example: "AAPL")],
                answers: Self.anyAnswers
            )
        ) { [self] context async throws(APIError) in
            let segment = context.parameters["symbol"]
            guard let symbol = try? PercentEncoding.decodePath(segment) else { throw .notFound }
            return await answer(try provider("yfinance"), symbol, context)
        }
    }

    private var globalQuote: Route {
        Route(
            .get,
            "/query",
            RouteDocumentation(
                "The latest price of a symbol, as Alpha Vantage's GLOBAL_QUOTE gives it",
                in: Self.group,
                parameters: [
                    .query("function", "What is asked.", .word(["GLOBAL_QUOTE"]), example: "GLOBAL_QUOTE"),
                    .query("symbol", "The symbol.", .string(), example: "AAPL"),
                    .query("apikey", "The key, which is not looked at.", .string(), example: "demo"),
                ],
                answers: Self.anyAnswers
            )
        ) { [self] context async throws(APIError) in
            guard context.parameter("function") == "GLOBAL_QUOTE", let symbol = context.parameter("symbol") else {
                return HTTPResponse(json: Array(#"{"Error Message":"This API function does not exist."}"#.utf8))
            }
            return await answer(try provider("alpha_vantage"), symbol, context)
        }
    }

    private var quote: Route {
        Route(
            .get,
            "/api/v1/quote",
            RouteDocumentation(
                "The latest price of a symbol, as Finnhub's quote gives it",
                in: Self.group,
                parameters: [.query("symbol", "The symbol.", .string(), example: "AAPL")],
                answers: Self.anyAnswers
            )
        ) { [self] context async throws(APIError) in
            guard let symbol = context.parameter("symbol") else {
                return HTTPResponse(json: Array(#"{"error":"Symbol is required"}"#.utf8), status: .unprocessableContent)
            }
            return await answer(try provider("finnhub"), symbol, context)
        }
    }

    private func answer(_ provider: SimulatedProvider, _ symbol: String, _ context: RequestContext) async
        -> HTTPResponse
    {
        let reply = provider.reply(to: symbol)
        let latency = provider.behaviour.latencyMilliseconds
        if latency > 0 { try? await Reactor.sleep(for: .milliseconds(latency)) }
        switch reply {
        case .answer(let status, let type, let fields, let body):
            var response = HTTPResponse(HTTPStatus(rawValue: status), body: .bytes(body))
            if let type { response.fields.append("Content-Type", type) }
            for (name, value) in fields { response.fields.append(name, value) }
            return response
        case .hang:
            var isWaiting = true
            context.onClientGone = { isWaiting = false }
            while isWaiting, context.remainingMilliseconds > 100 { try? await Reactor.sleep(for: .milliseconds(50)) }
            context.onClientGone = nil
            return HTTPResponse(.gatewayTimeout)
        case .cut:
            return HTTPResponse(
                .ok,
                fields: ["Content-Type": "application/json"],
                body: .stream(length: 100) { _ in throw ConnectionCut() }
            )
        }
    }

    private struct ConnectionCut: Error {}

    // MARK: What tests steer

    private static let name = BehaviourChange.providerField.documentation

    private var behaviour: Route {
        Route(
            .get,
            "/providers/{provider}/behaviour",
            RouteDocumentation(
                "How a provider behaves",
                in: Self.group,
                parameters: [Self.name],
                answers: [
                    .json(
                        .ok,
                        "Its behaviour.",
                        SimulatedProvider.Behaviour.schema,
                        example: SimulatedProvider.Behaviour.example
                    )
                ],
                errors: [.notFound]
            )
        ) { [self] context async throws(APIError) in
            HTTPResponse(json: try provider(context.parameters["provider"]).behaviour.json)
        }
    }

    private var change: Route {
        Operation(
            .put,
            "/providers/{provider}/behaviour",
            RouteDocumentation(
                "Change how a provider behaves",
                details: "Members that are absent stay as they are. What each answer is stands in the README.",
                in: Self.group,
                parameters: [Self.name],
                body: .json("ProviderBehaviour", BehaviourChange.members, limitBytes: 1 << 20),
                answers: [
                    .json(
                        .ok,
                        "Its behaviour now.",
                        SimulatedProvider.Behaviour.schema,
                        example: SimulatedProvider.Behaviour.example
                    )
                ],
                errors: [.notFound]
            )
        ) { request throws(APIError) in try BehaviourChange(request) }
        .answered { [self] change, _ throws(APIError) in
            let provider = try provider(change.provider)
            let unknown = ([change.answer].compactMap(\.self) + (change.symbols ?? [:]).values).first {
                !provider.knows($0)
            }
            if let unknown {
                throw APIError(.validationFailed, "\(provider.name) has no answer '\(unknown)'.")
            }
            provider.behaviour.apply(change)
            return HTTPResponse(json: provider.behaviour.json)
        }
    }

    private var calls: Route {
        Route(
            .get,
            "/providers/calls",
            RouteDocumentation(
                "How often each provider was asked for each symbol",
                in: Self.group,
                answers: [
                    .json(
                        .ok,
                        "Calls by provider and symbol, since the start of the simulator.",
                        .object([:], isOpen: true),
                        example: nil
                    )
                ]
            )
        ) { [self] _ async throws(APIError) in
            var writer = JSONWriter(capacity: 256)
            writer.object { writer in
                for provider in providers {
                    writer.key(provider.name)
                    writer.object { writer in
                        for (symbol, count) in provider.calls.sorted(by: { $0.key < $1.key }) {
                            writer.member(symbol, count)
                        }
                    }
                }
            }
            return HTTPResponse(json: writer.take())
        }
    }
}

extension RequestContext {
    /// A parameter of the query that is there once.
    fileprivate func parameter(_ name: String) -> String? {
        guard let all = try? head.queryParameters(limit: 32).all.filter({ $0.name == name }), all.count == 1 else {
            return nil
        }
        return all[0].value.isEmpty ? nil : all[0].value
    }
}
