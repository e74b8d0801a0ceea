internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Reactor
internal import Orders
internal import WebAPI

/// A stock exchange that fails: some calls at once, others in ways that leave their outcome unknown.
@ReactorActor
final class Exchange {
    var behaviour: ExchangeBehaviour {
        didSet { fills.isOn = behaviour.fills }
    }
    let ledger: Ledger
    let fills: Fills
    let streams: ReportStreams

    init(_ behaviour: ExchangeBehaviour) throws(Ledger.Failure) {
        self.behaviour = behaviour
        ledger = try Ledger(behaviour.ledger)
        fills = Fills(ledger, isOn: behaviour.fills)
        streams = ReportStreams(ledger)
    }

    /// Whether a call is one of those that are never answered.
    var isHanging: Bool { isDrawn(behaviour.hangRate) }

    /// Takes an order, or does what a failing exchange does.
    func place(_ order: ExchangeOrder) async -> HTTPResponse {
        if isDrawn(behaviour.resetRate) { return .cut }
        if isDrawn(behaviour.failureRate) {
            return .told(
                .serviceUnavailable,
                "NOT_CONNECTED",
                "Failed to place order at stock exchange. Connection not available"
            )
        }
        if ledger[order.id] == nil, behaviour.refusedInstruments.contains(order.instrument) {
            return .told(.unprocessableContent, "REFUSED", "\(order.instrument) is not traded here")
        }
        // It takes its time whether or not somebody still waits.
        try? await Reactor.sleep(for: behaviour.latency)
        return execute(order)
    }

    private func execute(_ order: ExchangeOrder) -> HTTPResponse {
        if let known = ledger[order.id] {
            switch behaviour.deduplication {
            case .byID: return .accepted(known, status: .ok)
            case .refuses: return .told(.conflict, "DUPLICATE_ID", "There is an order with this id")
            case .none: break
            }
        }
        guard let execution = ledger.accept(order) else {
            return .told(.internalServerError, "LEDGER", "The ledger cannot be written")
        }
        fills.execute(order.id)
        if isDrawn(behaviour.lostAnswerRate) { return .cut }
        if isDrawn(behaviour.garbledRate) { return HTTPResponse(json: Array("{\"order_id\": \u{1}".utf8)) }
        return .accepted(execution, status: .created)
    }

    private func isDrawn(_ rate: Double) -> Bool { rate > 0 && Double.random(in: 0..<1) < rate }
}

/// An order as the exchange is given it.
struct ExchangeOrder: Sendable {
    let id: String
    let instrument: String
    let side: String
    let quantity: Int
    /// The text of a number; nil for a market order.
    let limitPrice: String?
}

extension HTTPResponse {
    /// What the exchange says of an order that it has.
    static func accepted(_ execution: Ledger.Execution, status: HTTPStatus) -> HTTPResponse {
        var writer = JSONWriter(capacity: 256)
        execution.write(to: &writer)
        return HTTPResponse(json: writer.take(), status: status)
    }

    /// A refusal in the exchange's words.
    static func told(_ status: HTTPStatus, _ code: String, _ message: String) -> HTTPResponse {
        var writer = JSONWriter(capacity: 128)
        writer.object { writer in
            writer.member("code", code)
            writer.member("message", message)
        }
        return HTTPResponse(json: writer.take(), status: status)
    }

    /// No answer, and no connection any more.
    static var cut: HTTPResponse {
        HTTPResponse(.ok, body: .stream(length: 1) { _ in throw CancellationError() })
    }
}
