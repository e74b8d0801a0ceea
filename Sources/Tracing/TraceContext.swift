internal import Basics

/// The name of a trace: 128 bits, not zero, the same on every hop.
public struct TraceID: Hashable, Sendable {
    /// The first 16 digits.
    public let high: UInt64
    /// The last 16 digits.
    public let low: UInt64
}

/// A place in a distributed trace: which trace, and which span of it.
///
/// - SeeAlso: W3C Trace Context, §3.2 "Traceparent Header".
public struct TraceContext: Hashable, Sendable {
    /// The same in all spans of a trace, on every hop; not zero.
    public let traceID: TraceID
    /// 64 bits that name the hop that sends the header; not zero.
    public let spanID: UInt64
    /// What the header says about the trace; only the bits that we know, because others must not be passed on.
    public let flags: UInt8

    /// Bit 0: whether the trace is recorded.
    private static let sampledFlag: UInt8 = 0x01
    /// Sampled, and "the trace id is random" of the specification's second level.
    private static let knownFlags: UInt8 = 0x03

    /// Whether the trace is recorded: decided where it begins, and the same on every hop.
    public var isSampled: Bool { flags & Self.sampledFlag != 0 }

    init(traceID: TraceID, spanID: UInt64, flags: UInt8) {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags & Self.knownFlags
    }

    // MARK: Making

    /// The beginning of a trace.
    ///
    /// - Parameter sampler: Decides whether it is recorded; nil for never.
    package static func root(sampledBy sampler: TraceSampler?, using random: inout RandomBits) -> TraceContext {
        // `| 1`: an id must not be zero.
        let traceID = TraceID(high: random.next(), low: random.next() | 1)
        let isSampled = sampler?.samples(traceID) ?? false
        return TraceContext(traceID: traceID, spanID: random.next() | 1, flags: isSampled ? sampledFlag : 0)
    }

    /// The next span of the trace.
    package func child(using random: inout RandomBits) -> TraceContext {
        TraceContext(traceID: traceID, spanID: random.next() | 1, flags: flags)
    }

    // MARK: The header

    /// Reads a `traceparent`; nil for one that is malformed, which the specification wants ignored.
    public init?(parsing text: String) { self.init(parsing: text.utf8.span) }

    /// Reads a `traceparent`: `version "-" trace-id "-" parent-id "-" trace-flags`, in 2, 32, 16 and 2 digits.
    ///
    /// By position and without a copy, because each request comes through here.
    public init?(parsing text: Span<UInt8>) {
        let dash = UInt8(ascii: "-")
        guard (55...256).contains(text.count), text[2] == dash, text[35] == dash, text[52] == dash,
            let version = Hexadecimal.lowerCaseValue(text, 0..<2), version != 0xff,
            // A later version may append more fields.
            text.count == 55 || version != 0 && text[55] == dash,
            let high = Hexadecimal.lowerCaseValue(text, 3..<19), let low = Hexadecimal.lowerCaseValue(text, 19..<35),
            high | low != 0,
            let span = Hexadecimal.lowerCaseValue(text, 36..<52), span != 0,
            let flags = Hexadecimal.lowerCaseValue(text, 53..<55)
        else { return nil }
        self.init(traceID: TraceID(high: high, low: low), spanID: span, flags: UInt8(truncatingIfNeeded: flags))
    }
}

extension TraceContext: CustomStringConvertible {
    /// The `traceparent` header's value.
    public var description: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(55)
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the `traceparent` header's value.
    public func append(to bytes: inout [UInt8]) {
        let hyphen = UInt8(ascii: "-")
        bytes.append(addingCapacity: 55) { text in
            text.append(UInt8(ascii: "0"))
            text.append(UInt8(ascii: "0"))
            text.append(hyphen)
            Hexadecimal.append(traceID.high, to: &text)
            Hexadecimal.append(traceID.low, to: &text)
            text.append(hyphen)
            Hexadecimal.append(spanID, to: &text)
            text.append(hyphen)
            text.append(Hexadecimal.digit(flags >> 4))
            text.append(Hexadecimal.digit(flags))
        }
    }
}
