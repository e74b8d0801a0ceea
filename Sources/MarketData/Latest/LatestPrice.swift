internal import Basics
internal import JSONWire
internal import Prices
internal import Reactor

/// A latest price, as it is answered and kept.
///
/// How old it is, is told by one clock at a time: by this process' while it is here, by Redis' while it is kept there,
/// by the database's while it is stored. So it is right also where the clocks of the machines differ.
struct LatestPrice: Hashable, Sendable {
    /// The answer: one JSON object.
    let body: [UInt8]
    /// When the provider was asked, by this process' clock.
    let askedAt: Instant

    init(_ quote: Quote, askedAt: Instant) {
        self.init(
            symbol: quote.symbol,
            price: quote.price,
            time: quote.time,
            provider: quote.provider,
            askedAt: askedAt
        )
    }

    /// - Parameter now: When its age was read.
    init(_ stored: StoredPrice, at now: Instant) {
        self.init(
            symbol: stored.symbol,
            price: stored.price,
            time: stored.time,
            provider: stored.provider,
            askedAt: now - stored.age
        )
    }

    private init(symbol: Symbol, price: QuotePrice, time: Timestamp, provider: String, askedAt: Instant) {
        var writer = JSONWriter(capacity: 128)
        writer.object { writer in
            writer.member("symbol", symbol.text)
            writer.key("price")
            writer.number(text: price.text)
            writer.member("timestamp", time.shortest)
            writer.member("provider", provider)
        }
        self.init(body: writer.take(), askedAt: askedAt)
    }

    private init(body: [UInt8], askedAt: Instant) {
        self.body = body
        self.askedAt = askedAt
    }

    // MARK: In Redis

    /// The member that is first in Redis; then those of the answer follow.
    private static let mark = Array(#"{"age_at_end_ms":"#.utf8)

    /// The answer with one member more: how old the price will be when Redis forgets it.
    ///
    /// - Parameter lifetime: How long Redis keeps it from now on.
    func kept(for lifetime: Duration, at now: Instant) -> [UInt8] {
        Self.mark + Array(String((now - askedAt + lifetime).millisecondsRoundedUp).utf8) + [UInt8(ascii: ",")]
            + body.dropFirst()
    }

    /// Reads what ``kept(for:at:)`` wrote; nil for anything else.
    ///
    /// - Parameter left: How long Redis still keeps it.
    init?(kept bytes: [UInt8], for left: Duration, at now: Instant) {
        guard bytes.starts(with: Self.mark), bytes.last == UInt8(ascii: "}") else { return nil }
        let rest = bytes.dropFirst(Self.mark.count)
        let digits = rest.prefix { $0 != UInt8(ascii: ",") }
        guard digits.count <= 12, let ageAtEnd = Int64(String(decoding: digits, as: UTF8.self)),
            rest.count > digits.count + 2
        else { return nil }
        let age = max(.zero, .milliseconds(ageAtEnd) - left)
        self.init(body: [UInt8(ascii: "{")] + rest.dropFirst(digits.count + 1), askedAt: now - age)
    }

    /// How long ago the provider was asked.
    func age(at now: Instant) -> Duration { max(.zero, now - askedAt) }
}

extension Timestamp {
    /// The moment without a fraction of zero: `2024-03-20T10:30:00Z`.
    var shortest: String {
        let text = description
        return text.hasSuffix(".000Z") ? text.dropLast(5) + "Z" : text
    }
}
