import HTTPWire
import Reactor
import Testing

@testable import WebAPI

@Suite struct IdentityTests {
    init() { Reactor.runInBackground() }

    @Test(arguments: ["a", "0123-ABC_~!", String(repeating: "x", count: 128)])
    @ReactorActor func `a well-formed request id is kept`(id: String) {
        var identifier = RequestIdentifier()
        #expect(identifier.identify(["X-Request-Id": id]).requestID == id)
    }

    @Test(arguments: ["", "two words", "tab\there", "ümlaut", String(repeating: "x", count: 129)])
    @ReactorActor func `any other is replaced by one that is unique`(id: String) {
        var identifier = RequestIdentifier()
        var fields = HTTPFields()
        if !id.isEmpty { fields.append("X-Request-Id", id) }
        let made = (0..<100).map { _ in identifier.identify(fields).requestID }
        #expect(Set(made).count == 100)
        #expect(made.allSatisfy { $0.count == 32 && $0 != id })
    }

    static let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test @ReactorActor func `a trace is continued with a span of our own`() throws {
        var identifier = RequestIdentifier()
        let incoming = try #require(TraceContext(parsing: Self.valid))
        #expect(incoming.description == Self.valid)
        let trace = identifier.identify(["traceparent": Self.valid]).trace
        #expect(trace.traceID == incoming.traceID)
        #expect(trace.flags == 1)
        #expect(trace.spanID != incoming.spanID)
    }

    @Test(arguments: [
        "", "00", valid + "-", valid + "-extra", valid.uppercased(), "ff" + valid.dropFirst(2),
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "+0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ])
    func `a malformed traceparent is ignored`(text: String) {
        #expect(TraceContext(parsing: text) == nil)
    }

    @Test func `a later version may carry more fields`() {
        #expect(TraceContext(parsing: "01" + Self.valid.dropFirst(2) + "-more") != nil)
    }
}
