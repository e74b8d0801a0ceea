import Testing

@testable import Tracing

@Suite struct SpanBufferTests {
    @Test func `what finds no room is dropped and counted`() {
        var buffer = SpanBuffer(limit: 5, batchLimit: 2)
        for number in 1...8 { buffer.append(SpanEncoderTests.span(UInt64(number))) }
        #expect(buffer.count == 5)
        #expect(buffer.counters.recorded == 8)
        #expect(buffer.counters.dropped == 3)
        #expect(buffer.takeBatch().map(\.context.spanID) == [1, 2])
        #expect(buffer.hasFullBatch)
        #expect(buffer.takeBatch().map(\.context.spanID) == [3, 4])
        #expect(!buffer.hasFullBatch)
        #expect(buffer.takeBatch().map(\.context.spanID) == [5])
        #expect(buffer.isEmpty && buffer.takeBatch().isEmpty)
    }

    @Test func `each span is accounted for once`() {
        var buffer = SpanBuffer(limit: 4, batchLimit: 4)
        for number in 1...7 { buffer.append(SpanEncoderTests.span(UInt64(number))) }
        _ = buffer.takeBatch()
        buffer.noteOutcome(exported: 3, failed: 1)
        for number in 8...9 { buffer.append(SpanEncoderTests.span(UInt64(number))) }
        buffer.drop()
        let counters = buffer.counters
        #expect(counters == TracingCounters(recorded: 9, exported: 3, dropped: 5, failed: 1, retries: 0))
    }
}
