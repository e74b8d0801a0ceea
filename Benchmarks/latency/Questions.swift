import HTTPClient
import HTTPWire

/// Makes the requests to one target, one after the other.
struct Questions {
    private let head: [UInt8]
    private let tail: [UInt8]
    private var ranges: RandomRanges?

    init(of target: Target, _ ranges: RandomRanges) {
        // Written once; a random query goes between the two parts.
        head = Array("GET \(target.path)".utf8)
        tail = Array(" HTTP/1.1\r\nHost: \(target.authority)\r\n\r\n".utf8)
        self.ranges = target.wantsRanges ? ranges : nil
    }

    mutating func next() -> HTTPClientRequest {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(head.count + 96 + tail.count)
        bytes += head
        ranges?.appendNext(to: &bytes)
        bytes += tail
        return HTTPClientRequest(.get, bytes: bytes)
    }
}

/// Queries with random ranges of days, the same ones for the same seed.
struct RandomRanges {
    private let dates: [[UInt8]]
    private let days: ClosedRange<Int>
    private let symbols: [[UInt8]]
    private var generator: SplitMix64

    /// - Parameters:
    ///   - dates: The days that ranges lie in, in order.
    ///   - days: The lengths of ranges, of which the longest fits into `dates`.
    ///   - symbols: Those to choose from; none for no such parameter.
    init(dates: [String], days: ClosedRange<Int>, symbols: [String], seed: UInt64) {
        precondition(days.upperBound <= dates.count, "the longest range does not fit")
        self.dates = dates.map { Array($0.utf8) }
        self.days = days
        self.symbols = symbols.map { Array($0.utf8) }
        generator = SplitMix64(seed: seed)
    }

    mutating func appendNext(to bytes: inout [UInt8]) {
        let length = Int.random(in: days, using: &generator)
        let first = Int.random(in: 0...(dates.count - length), using: &generator)
        bytes += "?start_date=".utf8
        bytes += dates[first]
        bytes += "&end_date=".utf8
        bytes += dates[first + length - 1]
        guard let symbol = symbols.randomElement(using: &generator) else { return }
        bytes += "&symbol=".utf8
        bytes += symbol
    }
}

/// Steele, Lea and Flood's generator, "Fast splittable pseudorandom number generators" (2014).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }
}
