internal import JSONWire

/// What the exchange tells of an order, by number: that it has it, and how an execution of it stands.
struct ExchangeReport {
    /// What has happened.
    enum Kind: String {
        case accepted
        case partialFill = "partial_fill"
        case fill
        /// The execution is of another quantity now, of none if it is revoked.
        case correction
    }

    let number: Int
    let kind: Kind
    let orderID: String
    /// Of every kind but `accepted`.
    let executionID: String?
    let quantity: Int
    /// The text of a number; of `accepted`, the one at which it will be executed.
    let price: String
    let at: String

    /// The price of an order that names none: always the same one of an instrument.
    static func marketPrice(of instrument: String) -> String {
        MarketModel.price(of: instrument, unixSecond: 0) ?? "100.00"
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("number", number)
            writer.member("type", kind.rawValue)
            writer.member("order_id", orderID)
            if let executionID { writer.member("execution_id", executionID) }
            writer.member("quantity", quantity)
            writer.key("price")
            writer.number(text: price)
            writer.member("at", at)
        }
    }

    /// The line of the stream and of the file, without its end.
    var line: [UInt8] {
        var writer = JSONWriter(capacity: 256)
        write(to: &writer)
        return writer.take()
    }

    /// The line that says that there is nothing new.
    static func heartbeat(last: Int) -> [UInt8] { Array(#"{"heartbeat":\#(last)}"#.utf8) }
}

extension ExchangeReport {
    init?(_ json: JSONValue) {
        guard let number = json["number"]?.integer, let orderID = json["order_id"]?.string,
            let kind = json["type"]?.string.flatMap({ Kind(rawValue: $0) }),
            let quantity = json["quantity"]?.integer, let price = json["price"]?.numberText,
            let at = json["at"]?.string, (kind == .accepted) == (json["execution_id"] == nil)
        else { return nil }
        self.init(
            number: number,
            kind: kind,
            orderID: orderID,
            executionID: json["execution_id"]?.string,
            quantity: quantity,
            price: price,
            at: at
        )
    }
}
