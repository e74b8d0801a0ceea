internal import JSONWire
internal import RedisStreams

/// What is told of a price that a provider brought: an entry of the stream `price-events` with the fields `key`, the
/// symbol, `id`, the price's id, and `value`, all of it.
struct PriceEvent: Hashable, Sendable {
    static let stream = "price-events"
    static let group = "ma_calculators"
    static let deadLetters = "price-events-dlq"
    /// The destination of the messages in the outbox.
    static let destination = "price-events"

    let priceID: Int64
    let symbol: String
    /// In the form that others read, as JSON.
    let value: [UInt8]

    /// Reads the payload of a message of the outbox, which `add_price_events` has written.
    init?(payload: String) {
        guard let json = try? JSONValue(parsing: Array(payload.utf8), limits: JSONLimits(bytes: 16 * 1024)),
            let id = json["id"]?.numberText.flatMap({ Int64($0) }), let symbol = json["symbol"]?.string,
            let price = json["price"], let time = json["timestamp"], let source = json["source"],
            let rawResponseID = json["raw_response_id"]
        else { return nil }
        priceID = id
        self.symbol = symbol
        var writer = JSONWriter(capacity: 160)
        writer.object { writer in
            writer.member("symbol", symbol)
            writer.key("price")
            writer.value(price)
            writer.key("timestamp")
            writer.value(time)
            writer.key("source")
            writer.value(source)
            writer.key("raw_response_id")
            writer.value(rawResponseID)
        }
        value = writer.take()
    }

    /// The id of the price of an entry; nil for one that is no event of a price.
    static func priceID(of entry: StreamEntry) -> Int64? {
        guard let text = entry["id"], let id = Int64(String(decoding: text, as: UTF8.self)), id > 0,
            let value = entry["value"],
            let json = try? JSONValue(parsing: value, limits: JSONLimits(bytes: 16 * 1024)),
            json["symbol"]?.string != nil
        else { return nil }
        return id
    }
}
