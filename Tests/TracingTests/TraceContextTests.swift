import Testing

@testable import Tracing

@Suite struct TraceContextTests {
    static let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test func `a traceparent is read and written`() throws {
        let context = try #require(TraceContext(parsing: Self.valid))
        #expect(context.traceID == TraceID(high: 0x4bf9_2f35_77b3_4da6, low: 0xa3ce_929d_0e0e_4736))
        #expect(context.spanID == 0x00f0_67aa_0ba9_02b7)
        #expect(context.isSampled)
        #expect(context.description == Self.valid)
    }

    @Test(arguments: [
        "", "00", valid + "-", valid + "-extra", valid.uppercased(), "ff" + valid.dropFirst(2),
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e47361-00f067aa0ba902b7-1",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "+0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "01" + valid.dropFirst(2) + "more", "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
    ])
    func `a malformed traceparent is ignored`(text: String) {
        #expect(TraceContext(parsing: text) == nil)
    }

    @Test func `every prefix of a traceparent is ignored`() {
        for length in 0..<Self.valid.count { #expect(TraceContext(parsing: String(Self.valid.prefix(length))) == nil) }
    }

    @Test func `a later version may carry more fields`() {
        #expect(TraceContext(parsing: "01" + Self.valid.dropFirst(2) + "-more") != nil)
    }

    @Test func `flags that nobody has defined yet are not passed on`() {
        #expect(TraceContext(parsing: Self.valid.dropLast(2) + "ff")?.description == Self.valid.dropLast(2) + "03")
        #expect(TraceContext(parsing: Self.valid.dropLast(2) + "fe")?.isSampled == false)
    }

    @Test func `a child is another span of the same trace`() throws {
        var random = RandomBits()
        let parent = try #require(TraceContext(parsing: Self.valid))
        let children = (0..<100).map { _ in parent.child(using: &random) }
        #expect(Set(children.map(\.spanID)).count == 100)
        #expect(children.allSatisfy { $0.traceID == parent.traceID && $0.flags == 1 && $0.spanID != parent.spanID })
    }

    @Test(arguments: [0, 0.1, 0.5, 1]) func `a sampler takes its share, and decides alike each time`(share: Double) {
        var random = RandomBits()
        let sampler = TraceSampler(share: share)
        let traces = (0..<20_000).map { _ in TraceID(high: random.next(), low: random.next()) }
        let taken = traces.filter { sampler.samples($0) }
        #expect(taken.allSatisfy { sampler.samples($0) })
        // Ten standard deviations of the widest of them.
        #expect(abs(Double(taken.count) / 20_000 - share) < 0.036)
        if share == 0 || share == 1 { #expect(taken.count == Int(share) * 20_000) }
    }

    @Test func `who takes less takes a part of what who takes more takes`() {
        var random = RandomBits()
        let (few, many) = (TraceSampler(share: 0.1), TraceSampler(share: 0.3))
        for _ in 0..<10_000 {
            let trace = TraceID(high: random.next(), low: random.next())
            if few.samples(trace) { #expect(many.samples(trace)) }
        }
    }

    @Test(
        arguments: [
            ([], nil), (["a=1"], "a=1"), (["a=1", "b=2"], "a=1,b=2"), ([""], nil), (["a=\u{7f}"], nil), (["ü=1"], nil),
            ([String(repeating: "x", count: 512)], String(repeating: "x", count: 512)),
            ([String(repeating: "x", count: 513)], nil),
        ] as [([String], String?)]
    )
    func `a trace state is passed on as it came, or not at all`(lines: [String], state: String?) {
        #expect(TraceState.joining(lines) == state)
    }
}
