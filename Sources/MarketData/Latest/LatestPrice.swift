internal import JSONWire
internal import Prices
internal import Reactor

/// A latest price, as it is answered and kept.
struct LatestPrice: Hashable, Sendable {
    /// The answer: one JSON object.
    let body: [UInt8]
    /// When the provider was asked, in UTC.
    let fetchedAt: Timestamp

    init(_ quote: Quote, fetchedAt: Timestamp) {
        self.init(
            symbol: quote.symbol,
            price: quote.price,
            time: quote.time,
            provider: quote.provider,
            fetchedAt: fetchedAt
        )
    }

    init(_ stored: StoredPrice) {
        self.init(
            symbol: stored.symbol,
            price: stored.price,
            time: stored.time,
            provider: stored.provider,
            fetchedAt: stored.fetchedAt
        )
    }

    private init(symbol: Symbol, price: QuotePrice, time: Timestamp, provider: String, fetchedAt: Timestamp) {
        var writer = JSONWriter(capacity: 128)
        writer.object { writer in
            writer.member("symbol", symbol.text)
            writer.key("price")
            writer.number(text: price.text)
            writer.member("timestamp", time.shortest)
            writer.member("provider", provider)
        }
        body = writer.take()
        self.fetchedAt = fetchedAt
    }

    // MARK: In Redis

    /// What ends the object in Redis, around the 24 characters of a time.
    private static let mark = Array(#","fetched_at":""#.utf8)
    private static let end = Array("\"}".utf8)

    /// The answer with one member more, its last: when it was fetched.
    var cached: [UInt8] { body.dropLast() + Self.mark + fetchedAt.bytes + Self.end }

    /// Reads what ``cached`` wrote; nil for anything else.
    init?(cached bytes: [UInt8]) {
        let length = Self.mark.count + 24 + Self.end.count
        guard bytes.count > length, bytes.first == UInt8(ascii: "{"), bytes.suffix(2).elementsEqual(Self.end) else {
            return nil
        }
        let tail = bytes.suffix(length)
        guard tail.starts(with: Self.mark),
            let time = Timestamp(String(decoding: tail.dropFirst(Self.mark.count).prefix(24), as: UTF8.self))
        else { return nil }
        body = bytes.dropLast(length) + [UInt8(ascii: "}")]
        fetchedAt = time
    }

    /// Whole seconds since it was fetched.
    @ReactorActor var age: Int { max(0, Int((Reactor.unixTime - fetchedAt.unixTime).components.seconds)) }
}

extension Timestamp {
    /// The moment without a fraction of zero: `2024-03-20T10:30:00Z`.
    var shortest: String {
        let text = description
        return text.hasSuffix(".000Z") ? text.dropLast(5) + "Z" : text
    }
}
