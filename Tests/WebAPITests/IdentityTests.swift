import HTTPWire
import Reactor
import Testing
import Tracing

@testable import WebAPI

@Suite struct IdentityTests {
    init() { Reactor.runInBackground() }

    @Test(arguments: ["a", "0123-ABC_~!", "0123456789abcdef0123456789abcdef", String(repeating: "x", count: 128)])
    @ReactorActor func `a well-formed request id is kept`(id: String) {
        var identifier = RequestIdentifier()
        #expect(identifier.identify(["X-Request-Id": id]).requestID.description == id)
    }

    @Test(arguments: ["", "two words", "tab\there", "ümlaut", String(repeating: "x", count: 129)])
    @ReactorActor func `any other is replaced by one that is unique`(id: String) {
        var identifier = RequestIdentifier()
        var fields = HTTPFields()
        if !id.isEmpty { fields.append("X-Request-Id", id) }
        let made = (0..<100).map { _ in identifier.identify(fields).requestID.description }
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

    @Test @ReactorActor func `what the caller said is kept for the next hop and for the span`() throws {
        var identifier = RequestIdentifier()
        var fields: HTTPFields = ["traceparent": Self.valid, "tracestate": "a=1"]
        fields.append("tracestate", "b=2")
        let identity = identifier.identify(fields)
        #expect(identity.parentSpanID == 0x00f0_67aa_0ba9_02b7)
        #expect(identity.traceState == "a=1,b=2")
        // Without a trace, its state means nothing.
        let root = identifier.identify(["tracestate": "a=1"])
        #expect(root.parentSpanID == nil && root.traceState == nil)
    }

    @Test @ReactorActor func `members of a trace state may be separated by tabs`() {
        var identifier = RequestIdentifier()
        let identity = identifier.identify(["traceparent": Self.valid, "tracestate": "foo=1\t,\tbar=2"])
        #expect(identity.traceState == "foo=1\t,\tbar=2")
    }

    @Test @ReactorActor func `of two traces neither is continued`() throws {
        var identifier = RequestIdentifier()
        var fields: HTTPFields = ["traceparent": Self.valid, "tracestate": "a=1"]
        fields.append("traceparent", Self.valid)
        let identity = identifier.identify(fields)
        let incoming = try #require(TraceContext(parsing: Self.valid))
        #expect(identity.trace.traceID != incoming.traceID)
        #expect(identity.parentSpanID == nil && identity.traceState == nil)
    }

    @Test @ReactorActor func `a trace that begins here is recorded if the sampler says so`() {
        for (share, flags) in [(nil, 0), (0, 0), (1, 1)] as [(Double?, UInt8)] {
            var identifier = RequestIdentifier(sampler: share.map { TraceSampler(share: $0) })
            #expect(identifier.identify([:]).trace.flags == flags)
            // Who continues a trace does not decide anew.
            #expect(identifier.identify(["traceparent": Self.valid]).trace.flags == 1)
        }
    }
}
