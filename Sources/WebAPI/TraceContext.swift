/// The place of a request in a distributed trace.
///
/// - SeeAlso: W3C Trace Context, §3.2 "Traceparent Header".
public struct TraceContext: Hashable, Sendable, CustomStringConvertible {
    /// 128 bits, the same on every hop; not zero.
    public let traceID: (high: UInt64, low: UInt64)
    /// 64 bits that name the hop that sends the header; not zero.
    public let spanID: UInt64
    /// Bit 0: whether the caller recorded the trace.
    public let flags: UInt8

    /// Reads a `traceparent`; nil for one that is malformed, which the specification wants ignored.
    public init?(parsing text: String) {
        // version "-" trace-id "-" parent-id "-" trace-flags; a later version may append more fields.
        var parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)[...]
        guard parts.count >= 4, text.utf8.count <= 256,
            let version = Hexadecimal.value(parts.removeFirst(), digits: 2), version != 0xff,
            version != 0 || parts.count == 3
        else { return nil }
        let trace = parts.removeFirst()
        guard trace.count == 32,
            let high = Hexadecimal.value(trace.prefix(16), digits: 16),
            let low = Hexadecimal.value(trace.suffix(16), digits: 16), high | low != 0,
            let span = Hexadecimal.value(parts.removeFirst(), digits: 16), span != 0,
            let flags = Hexadecimal.value(parts.removeFirst(), digits: 2)
        else { return nil }
        self.init(traceID: (high, low), spanID: span, flags: UInt8(truncatingIfNeeded: flags))
    }

    private init(traceID: (high: UInt64, low: UInt64), spanID: UInt64, flags: UInt8) {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
    }

    static func new(using random: inout RandomBits) -> TraceContext {
        // `| 1`: an id must not be zero.
        TraceContext(traceID: (random.next(), random.next() | 1), spanID: random.next() | 1, flags: 0)
    }

    func child(using random: inout RandomBits) -> TraceContext {
        TraceContext(traceID: traceID, spanID: random.next() | 1, flags: flags)
    }

    /// The `traceparent` header's value.
    public var description: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(55)
        bytes.append(contentsOf: "00-".utf8)
        Hexadecimal.append(traceID.high, digits: 16, to: &bytes)
        Hexadecimal.append(traceID.low, digits: 16, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        Hexadecimal.append(spanID, digits: 16, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        Hexadecimal.append(UInt64(flags), digits: 2, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether trace, span and flags are the same.
    public static func == (left: TraceContext, right: TraceContext) -> Bool {
        left.traceID == right.traceID && left.spanID == right.spanID && left.flags == right.flags
    }

    /// Hashes trace, span and flags.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(traceID.high)
        hasher.combine(traceID.low)
        hasher.combine(spanID)
        hasher.combine(flags)
    }
}
