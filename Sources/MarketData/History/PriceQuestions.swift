internal import Basics
internal import JSONWire
internal import Prices
internal import WebAPI

extension FieldRule<Timestamp> {
    /// A moment, or a day in place of its first moment.
    static let moment = FieldRule(
        "must be a time of RFC 3339, such as 2025-01-06T09:30:00Z, or a day, such as 2025-01-06",
        schema: .string(length: 10...35)
    ) { Timestamp($0.utf8.count == 10 ? $0 + "T00:00:00Z" : $0) }
}

/// The parameters that the questions about a symbol share.
enum PriceFields {
    static let symbol = Field.query("symbol", .symbol, "Whose prices.", isRequired: true, example: "AAPL")
    static let from = Field.query(
        "from",
        FieldRule<Timestamp>.moment,
        "Nothing earlier than this time, or than the start of this day in UTC.",
        example: "2024-03-20T00:00:00Z"
    )
    static let to = Field.query(
        "to",
        FieldRule<Timestamp>.moment,
        "Only what is earlier than this time, or than the start of this day in UTC.",
        example: "2024-03-21T00:00:00Z"
    )

    /// Reads both ends of a stretch of time, which may be open.
    static func readRange(_ fields: inout Fields) -> (from: Timestamp?, to: Timestamp?) {
        let from = fields.read(Self.from)
        let to = fields.read(Self.to)
        if let from, let to, from.unixTime > to.unixTime {
            fields.refuse(Self.from, "from must not be after to", .invalidDateRange)
        }
        return (from, to)
    }
}

/// What `GET /prices/history` asks: a page of a symbol's single prices, newest first.
struct HistoryQuestion: Sendable {
    let symbol: Symbol
    let from: Timestamp?
    let to: Timestamp?
    let limit: Int
    let after: PricePosition?

    static let after = Field.query(
        "after",
        FieldRule<PricePosition>.position,
        "`next` of the page before.",
        example: .string(PricePosition.example)
    )

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        let symbol = fields.read(PriceFields.symbol)
        (from, to) = PriceFields.readRange(&fields)
        limit = fields.readPageLimit()
        after = fields.read(Self.after)
        self.symbol = try fields.finish(symbol)
    }

    static let parameters = [
        PriceFields.symbol.documentation, PriceFields.from.documentation, PriceFields.to.documentation,
        Field.pageLimit.documentation, after.documentation,
    ]
}

/// Where a price stands among those of its symbol: by its time, and by its id where times are equal.
struct PricePosition: Hashable, Sendable, CustomStringConvertible {
    /// Since 1970, in microseconds, which is how finely times are stored.
    let microseconds: Int64
    let id: Int64

    static let example = "1710930600000000-1"
    /// What PostgreSQL has times for, and some less.
    private static let timesKept: Range<Int64> = -210_000_000_000_000_000..<1 << 60

    init(microseconds: Int64, id: Int64) {
        self.microseconds = microseconds
        self.id = id
    }

    /// Reads ``description``.
    init?(_ text: String) {
        guard let dash = text.lastIndex(of: "-"), let microseconds = Int64(text[..<dash]),
            let id = Int64(text[text.index(after: dash)...]), text == "\(microseconds)-\(id)",
            Self.timesKept.contains(microseconds)
        else { return nil }
        self.init(microseconds: microseconds, id: id)
    }

    var description: String { "\(microseconds)-\(id)" }
}

extension FieldRule<PricePosition> {
    /// What the page before said.
    fileprivate static let position = FieldRule(
        "must be what `next` of the page before is",
        schema: .string(pattern: "^-?[0-9]+-[0-9]+$", length: 3...40)
    ) { PricePosition($0) }
}

/// What `GET /prices/bars` asks.
struct BarQuestion: Sendable {
    /// How long a bar is.
    enum Interval: String, CaseIterable, Sendable {
        case minute = "1m"
        case fiveMinutes = "5m"
        case hour = "1h"
        case day = "1d"

        var seconds: Int64 {
            switch self {
            case .minute: 60
            case .fiveMinutes: 300
            case .hour: 3600
            case .day: 86_400
            }
        }
    }

    let symbol: Symbol
    let interval: Interval
    /// The first bar, and the one behind the last, in seconds since 1970.
    let bars: Range<Int64>

    static let interval = Field.query(
        "interval",
        FieldRule<Interval>.word,
        "How long a bar is. Bars begin at whole multiples of it in UTC.",
        isRequired: true,
        example: "1m"
    )
    static let barsMax: Int64 = 5000
    private static let barsDefault: Int64 = 300

    /// - Parameter now: What `to` is unless it is given.
    init(_ content: RequestContent, now: Timestamp = Timestamp(unixTime: SystemClock.unixTime)) throws(APIError) {
        var fields = try Fields(content)
        let symbol = fields.read(PriceFields.symbol)
        let interval = fields.read(Self.interval)
        let (from, to) = PriceFields.readRange(&fields)
        var bars: Range<Int64>?
        if let length = interval?.seconds {
            let end = Self.end(to ?? now, length)
            let start = from.map { Self.start($0.wholeSeconds.seconds, length) } ?? end - Self.barsDefault * length
            if (end - start) / length > Self.barsMax {
                fields.refuse(
                    PriceFields.from,
                    "from and to must be at most \(Self.barsMax) bars apart",
                    .invalidDateRange
                )
            }
            bars = start..<max(start, end)
        }
        (self.symbol, self.interval, self.bars) = try fields.finish(symbol, interval, bars)
    }

    /// The start of the bar that a second is in.
    private static func start(_ second: Int64, _ length: Int64) -> Int64 {
        let remainder = second % length
        return second - (remainder < 0 ? remainder + length : remainder)
    }

    /// The end of the last bar that begins before a time.
    private static func end(_ time: Timestamp, _ length: Int64) -> Int64 {
        let (seconds, nanoseconds) = time.wholeSeconds
        return start(seconds + (nanoseconds > 0 ? 1 : 0) + length - 1, length)
    }

    static let parameters = [
        PriceFields.symbol.documentation, interval.documentation, PriceFields.from.documentation,
        PriceFields.to.documentation,
    ]
}

/// What `GET /prices/moving-average` asks.
struct SymbolQuestion: Sendable {
    let symbol: Symbol

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        symbol = try fields.finish(fields.read(PriceFields.symbol))
    }
}
