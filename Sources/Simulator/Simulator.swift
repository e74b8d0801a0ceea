internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Reactor
public import ServiceRuntime
internal import WebAPI

extension Service {
    /// Stands in for the outside world, so that everything can be tried on one machine without a network.
    public static let simulator = Service(schema: .simulator) { _ throws(StartupError) in
        RunningService(routes: [PriceProvider.route], readiness: [], stop: { _ in })
    }
}

/// A provider of prices in the form of Yahoo's chart API, version 8.
enum PriceProvider {
    static let route = Route(
        .get,
        "/v8/finance/chart/{symbol}",
        RouteDocumentation(
            "The latest price of a symbol, as Yahoo's chart API gives it",
            in: RouteGroup("Providers", "Stand-ins for providers of prices."),
            parameters: [.path("symbol", "The symbol.", .string(), example: "AAPL")],
            answers: [
                .json(.ok, "The price of this minute.", .object([:], isOpen: true), example: nil),
                .json(
                    .notFound,
                    "There is no such symbol, in the provider's words.",
                    .object([:], isOpen: true),
                    example: nil
                ),
            ]
        )
    ) { context in
        chart(of: context.parameters["symbol"])
    }

    @ReactorActor
    private static func chart(of symbol: String) -> HTTPResponse {
        let minute = Int(Reactor.unixTime.components.seconds) / 60
        guard let cents = MarketModel.cents(of: symbol, unixMinute: minute) else {
            return HTTPResponse(
                json: Array(#"{"chart":{"result":null,"error":{"code":"Not Found","description":"#.utf8)
                    + Array(#""No data found, symbol may be delisted"}}}"#.utf8),
                status: .notFound
            )
        }
        let fraction = cents % 100
        var writer = JSONWriter(capacity: 256)
        writer.object { writer in
            writer.key("chart")
            writer.object { writer in
                writer.key("result")
                writer.array { writer in
                    writer.object { writer in
                        writer.key("meta")
                        writer.object { writer in
                            writer.member("currency", "USD")
                            writer.member("symbol", symbol)
                            writer.key("regularMarketPrice")
                            writer.number(text: "\(cents / 100).\(fraction < 10 ? "0" : "")\(fraction)")
                            writer.member("regularMarketTime", minute * 60)
                        }
                    }
                }
                writer.key("error")
                writer.null()
            }
        }
        return HTTPResponse(json: writer.take())
    }
}
