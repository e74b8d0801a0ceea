import JSONWire
import Testing

@testable import Tracing

@Suite struct SpanEncoderTests {
    private static let trace = TraceID(high: 0x4bf9_2f35_77b3_4da6, low: 0xa3ce_929d_0e0e_4736)

    static func span(_ number: UInt64 = 1, kind: SpanKind = .internal, parent: UInt64? = nil) -> SpanRecord {
        SpanRecord(
            context: TraceContext(traceID: trace, spanID: number, flags: 1),
            parentSpanID: parent,
            traceState: nil,
            name: "work",
            kind: kind,
            startNanoseconds: 1_736_121_600_000_000_001,
            endNanoseconds: 1_736_121_600_000_500_002
        )
    }

    private func encoded(_ spans: [SpanRecord], resource: [SpanAttribute] = []) -> String {
        var encoder = SpanEncoder(resource: resource)
        for span in spans { encoder.append(span) }
        return String(decoding: encoder.finish(), as: UTF8.self)
    }

    /// The part of the body between the brackets of `spans`.
    private func member(_ span: SpanRecord) -> String {
        let text = encoded([span])
        return String(text.dropFirst(encoded([]).count - 6).dropLast(6))
    }

    @Test func `a batch names what it comes from once`() {
        let resource = [SpanAttribute("service.name", "tickloop-api"), SpanAttribute("process.pid", 7)]
        #expect(
            encoded([], resource: resource) == #"{"resourceSpans":[{"resource":{"attributes":["#
                + #"{"key":"service.name","value":{"stringValue":"tickloop-api"}},"#
                + #"{"key":"process.pid","value":{"intValue":"7"}}]},"#
                + #""scopeSpans":[{"scope":{"name":"tickloop"},"spans":[]}]}]}"#
        )
    }

    private static let head = #"{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"0000000000000001","#
    private static let times =
        #""startTimeUnixNano":"1736121600000000001","endTimeUnixNano":"1736121600000500002","#

    @Test(
        arguments: [
            (.internal, nil, #""flags":257,"name":"work","kind":1,"#),
            (.server, nil, #""flags":257,"name":"work","kind":2,"#),
            (.server, 0xab, #""parentSpanId":"00000000000000ab","flags":769,"name":"work","kind":2,"#),
            (.client, 0xab, #""parentSpanId":"00000000000000ab","flags":257,"name":"work","kind":3,"#),
            (.producer, 0xab, #""parentSpanId":"00000000000000ab","flags":257,"name":"work","kind":4,"#),
            (.consumer, 0xab, #""parentSpanId":"00000000000000ab","flags":769,"name":"work","kind":5,"#),
        ] as [(SpanKind, UInt64?, String)]
    )
    func `a span tells its kind, and whether its parent is another process's`(
        kind: SpanKind,
        parent: UInt64?,
        expected: String
    ) {
        #expect(
            member(Self.span(kind: kind, parent: parent)) == Self.head + expected + Self.times + #""attributes":[]}"#
        )
    }

    @Test(
        arguments: [
            ("te\"xt", #"{"stringValue":"te\"xt"}"#),
            (-9_223_372_036_854_775_808, #"{"intValue":"-9223372036854775808"}"#),
            (.number(0.5), #"{"doubleValue":0.5}"#), (true, #"{"boolValue":true}"#),
        ] as [(SpanValue, String)]
    )
    func `an attribute has the type of its value`(value: SpanValue, expected: String) {
        var span = Self.span()
        span.attributes = [SpanAttribute("key", value)]
        #expect(member(span).hasSuffix(#""attributes":[{"key":"key","value":"# + expected + "}]}"))
    }

    @Test func `state, links and failure are there where they are`() {
        var span = SpanRecord(
            context: Self.span().context,
            parentSpanID: nil,
            traceState: "a=1",
            name: "work",
            kind: .internal,
            startNanoseconds: 1,
            endNanoseconds: 2
        )
        span.links = [Self.span(2).context]
        span.status = .failed("It broke.")
        #expect(
            member(span) == Self.head + #""traceState":"a=1","flags":257,"name":"work","kind":1,"#
                + #""startTimeUnixNano":"1","endTimeUnixNano":"2","attributes":[],"#
                + #""links":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"0000000000000002"}],"#
                + #""status":{"message":"It broke.","code":2}}"#
        )
        span.status = .failed("")
        #expect(member(span).hasSuffix(#""status":{"code":2}}"#))
    }

    @Test func `many spans are one valid document`() throws {
        let text = encoded((1...1000).map { Self.span($0, kind: .server, parent: 7) })
        let document = try JSONValue(parsing: text, limits: JSONLimits(bytes: 10_000_000))
        let spans = document["resourceSpans"]?.array?.first?["scopeSpans"]?.array?.first?["spans"]?.array
        #expect(spans?.count == 1000)
        #expect(Set((spans ?? []).compactMap { $0["spanId"]?.string }).count == 1000)
    }

    @Test func `a text that is too long is cut`() {
        let text = String(repeating: "x", count: 100_000)
        #expect(SpanAttribute("key", .text(text)).value == .text(String(text.prefix(1024))))
    }
}
