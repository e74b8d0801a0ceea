internal import Basics
internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Reactor
internal import Orders
internal import WebAPI

extension Exchange {
    /// What a ledger's page holds at most.
    static let pageMax = 10_000
    static let group = RouteGroup("Exchange", "A stand-in for a stock exchange.")

    var routes: [Route] {
        [placing, lookingUp, pages, readingBehaviour, changingBehaviour] + reportRoutes
    }

    // MARK: Orders

    private static let orderID = Field.member(
        "order_id",
        .text(of: .visible, length: 1...64),
        "Names the order, with every attempt.",
        isRequired: true,
        example: "0199f0f4-54f8-7aaa-8000-0123456789ab"
    )
    private static let kind = Field.member(
        "type",
        .text(of: .visible, length: 1...16),
        "`market` or `limit`.",
        isRequired: true,
        example: "limit"
    )
    private static let side = Field.member(
        "side",
        .text(of: .visible, length: 1...16),
        "`buy` or `sell`.",
        isRequired: true,
        example: "buy"
    )
    private static let instrument = Field.member(
        "instrument",
        .text(of: .alphanumeric, length: 12...12),
        "What is bought or sold.",
        isRequired: true,
        example: "DE000A0Q4RZ3"
    )
    private static let limitPrice = Field.member(
        "limit_price",
        .positiveDecimal(places: 2, digits: 16),
        "The worst price.",
        example: .number("150.00")
    )
    private static let quantity = Field.member(
        "quantity",
        .wholeNumber(in: 1...9_007_199_254_740_991),
        "How many.",
        isRequired: true,
        example: 10
    )

    private var placing: Route {
        Route(
            .post,
            "/exchange/orders",
            RouteDocumentation(
                "Place an order",
                in: Self.group,
                body: .json(
                    "ExchangeOrder",
                    [
                        Self.orderID.documentation, Self.kind.documentation, Self.side.documentation,
                        Self.instrument.documentation, Self.limitPrice.documentation, Self.quantity.documentation,
                    ]
                ),
                answers: [.json(.created, "The exchange has the order.", .object([:], isOpen: true), example: nil)]
            )
        ) { [self] context throws(APIError) in
            var fields = try Fields(context.content)
            let id = fields.read(Self.orderID)
            _ = fields.read(Self.kind)
            let price = fields.read(Self.limitPrice)
            let side = fields.read(Self.side)
            let instrument = fields.read(Self.instrument)
            let quantity = fields.read(Self.quantity)
            let order = try fields.finish(id, side, instrument, quantity)
            if isHanging {
                let left = Promise<Void, Never>()
                context.onClientGone = { left.succeed(()) }
                _ = await left.result
                throw .unavailable
            }
            return await place(
                ExchangeOrder(
                    id: order.0,
                    instrument: order.2,
                    side: order.1,
                    quantity: order.3,
                    limitPrice: price?.description
                )
            )
        }
    }

    private var lookingUp: Route {
        Route(
            .get,
            "/exchange/orders/{order_id}",
            RouteDocumentation(
                "Look an order up",
                in: Self.group,
                parameters: [.path("order_id", "The order.", .string(), example: "0199f0f4-54f8-7aaa")],
                answers: [.json(.ok, "The exchange has it.", .object([:], isOpen: true), example: nil)]
            )
        ) { [self] context throws(APIError) in
            let known = ledger[context.parameters["order_id"]]
            return known.map { .accepted($0, status: .ok) } ?? .told(.notFound, "NOT_FOUND", "There is no such order")
        }
    }

    static let after = Field.query(
        "after",
        .wholeNumber(in: 0 ... .max),
        "The number before the page.",
        example: 0
    )
    static let limit = Field.query("limit", .wholeNumber(in: 1...pageMax), "How many.", example: 1000)

    private var pages: Route {
        Route(
            .get,
            "/exchange/ledger",
            RouteDocumentation(
                "Read the ledger: a row for each time that an order was accepted",
                in: Self.group,
                parameters: [Self.after.documentation, Self.limit.documentation],
                answers: [.json(.ok, "A page.", .object([:], isOpen: true), example: nil)]
            )
        ) { [self] context throws(APIError) in
            var fields = try Fields(context.content)
            let after = fields.read(Self.after) ?? 0
            let limit = fields.read(Self.limit) ?? 1000
            _ = try fields.finish(after)
            let page = ledger.executions.dropFirst(after).prefix(limit)
            var writer = JSONWriter(capacity: 64 + page.count * 200)
            writer.object { writer in
                writer.key("executions")
                writer.array { writer in
                    for execution in page { execution.write(to: &writer) }
                }
                writer.key("next")
                if let last = page.last, last.number < ledger.executions.count {
                    writer.integer(last.number)
                } else {
                    writer.null()
                }
            }
            return HTTPResponse(json: writer.take())
        }
    }

    // MARK: Behaviour

    private static let rates: [(Field<Double>, any WritableKeyPath<ExchangeBehaviour, Double> & Sendable)] = [
        (.rate("failure_rate", "Calls that are refused at once."), \.failureRate),
        (.rate("hang_rate", "Calls that are never answered, and do nothing."), \.hangRate),
        (.rate("reset_rate", "Calls that are cut, and do nothing."), \.resetRate),
        (.rate("lost_answer_rate", "Calls that are carried out, and cut then."), \.lostAnswerRate),
        (.rate("garbled_rate", "Calls that are carried out, and answered nonsense."), \.garbledRate),
    ]
    private static let latency = Field.member(
        "latency_ms",
        .wholeNumber(in: 0...600_000),
        "Time that a call takes.",
        example: 500
    )
    private static let refused = Field.member(
        "refused_instruments",
        FieldRule<[String]>("must be a list of texts", schema: .array(of: .string())) { _ in
            nil
        } json: { value in
            value.array.flatMap { elements in
                let texts = elements.compactMap(\.string)
                return texts.count == elements.count && texts.count <= 1000 ? texts : nil
            }
        },
        "Instruments that are refused for good.",
        example: []
    )
    private static let deduplication = Field.member(
        "deduplication",
        FieldRule<ExchangeDeduplication>.word,
        "What happens to an order that is there already.",
        example: "by_id"
    )
    private static let fills = Field.member(
        "fills",
        .flag,
        "Whether orders are executed once they are taken.",
        example: true
    )

    private var readingBehaviour: Route {
        Route(
            .get,
            "/exchange/behaviour",
            RouteDocumentation(
                "How the exchange behaves",
                in: Self.group,
                answers: [.json(.ok, "Its settings.", .object([:], isOpen: true), example: nil)]
            )
        ) { [self] _ in HTTPResponse(json: behaviour.json) }
    }

    private var changingBehaviour: Route {
        Route(
            .put,
            "/exchange/behaviour",
            RouteDocumentation(
                "Change how the exchange behaves; what is left out stays",
                in: Self.group,
                body: .json(
                    "ExchangeBehaviour",
                    Self.rates.map(\.0.documentation) + [
                        Self.latency.documentation, Self.refused.documentation, Self.deduplication.documentation,
                        Self.fills.documentation,
                    ]
                ),
                answers: [.json(.ok, "Its settings now.", .object([:], isOpen: true), example: nil)]
            )
        ) { [self] context throws(APIError) in
            var fields = try Fields(context.content)
            var changed = behaviour
            for (field, path) in Self.rates { changed[keyPath: path] = fields.read(field) ?? changed[keyPath: path] }
            changed.latency = fields.read(Self.latency).map { .milliseconds($0) } ?? changed.latency
            changed.refusedInstruments = fields.read(Self.refused) ?? changed.refusedInstruments
            changed.deduplication = fields.read(Self.deduplication) ?? changed.deduplication
            changed.fills = fields.read(Self.fills) ?? changed.fills
            _ = try fields.finish(Optional(true))
            behaviour = changed
            return HTTPResponse(json: changed.json)
        }
    }
}

extension Field<Double> {
    /// A share of calls.
    static func rate(_ name: String, _ meaning: String) -> Field {
        .member(
            name,
            FieldRule("must be a number from 0 to 1", schema: .number(from: "0", to: "1", stepping: "0.000001")) {
                Double($0).flatMap { (0...1).contains($0) ? $0 : nil }
            } json: {
                $0.double.flatMap { (0...1).contains($0) ? $0 : nil }
            },
            meaning,
            example: .number("0.1")
        )
    }
}

extension ExchangeBehaviour {
    /// The settings, as they are asked for and changed.
    fileprivate var json: [UInt8] {
        var writer = JSONWriter(capacity: 256)
        writer.object { writer in
            writer.key("failure_rate")
            writer.number(failureRate)
            writer.member("latency_ms", latency.wholeMilliseconds)
            writer.key("hang_rate")
            writer.number(hangRate)
            writer.key("reset_rate")
            writer.number(resetRate)
            writer.key("lost_answer_rate")
            writer.number(lostAnswerRate)
            writer.key("garbled_rate")
            writer.number(garbledRate)
            writer.key("refused_instruments")
            writer.array { writer in
                for instrument in refusedInstruments { writer.string(instrument) }
            }
            writer.member("deduplication", deduplication.rawValue)
            writer.member("fills", fills)
        }
        return writer.take()
    }
}
