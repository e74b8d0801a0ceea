internal import JSONWire
internal import Postgres
internal import Reactor
internal import Redis
internal import WebAPI

/// A symbol's newest price and moving average, as clients of a stream get them.
///
/// Their number is that of the change that made them, over all symbols: whoever sees one sees all before it, see
/// `sql/0017_price_changes.sql`.
enum PriceChange {
    /// The Redis channel on which workers say that something has changed. A hint: who misses it looks later.
    static let channel = "price-changes"
    /// What listeners in a browser name.
    static let eventType = "price"

    /// Says that something has changed.
    @ReactorActor
    static func hint(by redis: RedisClient) {
        redis.command(["PUBLISH", .string(channel), ""]) { _ in }
    }

    /// A row of ``PriceChangeReader``.
    @ReactorActor
    static func event(_ rows: PostgresResult, _ row: Int) -> BroadcastEvent? {
        guard let number = rows.int64(row, 0), let symbol = rows.text(row, 1), rows.text(row, 2) != nil else {
            // Somebody has deleted the price.
            return nil
        }
        var writer = JSONWriter(capacity: 160)
        writer.object { writer in
            writer.member("symbol", symbol)
            writer.member("price", number: rows, row, 2)
            writer.member("timestamp", text: rows, row, 3)
            writer.member("provider", text: rows, row, 4)
            writer.member("moving_average", number: rows, row, 5)
        }
        return BroadcastEvent(eventType, of: symbol, number: number, data: writer.take())
    }

    /// What another process tells.
    static func event(_ event: ReceivedEvent) -> BroadcastEvent? {
        guard event.type == eventType, let number = Int64(event.id),
            let json = try? JSONValue(parsing: event.data, limits: JSONLimits(bytes: 16 * 1024)),
            let symbol = json["symbol"]?.string
        else { return nil }
        return BroadcastEvent(eventType, of: symbol, number: number, data: event.data)
    }
}
