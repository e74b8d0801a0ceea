import Reactor
import Testing

@Suite struct AddressTests {
    // Not in a test: one that runs on the loop waits for it before its first line.
    init() { Reactor.runInBackground() }

    @Test(arguments: [
        ("127.0.0.1:8080", Endpoint.tcp(host: "127.0.0.1", port: 8080)),
        ("localhost:0", .tcp(host: "localhost", port: 0)),
        ("[::1]:65535", .tcp(host: "::1", port: 65535)),
        ("unix:/run/api.sock", .unix(path: "/run/api.sock")),
    ])
    func `an endpoint is read and written back`(text: String, expected: Endpoint) throws {
        let endpoint = try Endpoint(parsing: text)
        #expect(endpoint == expected)
        #expect(endpoint.description == text)
    }

    @Test(arguments: [
        ("127.0.0.1", Endpoint.ParseError.missingPort), ("a:65536", .invalidPort), ("a:", .invalidPort),
        ("a:-1", .invalidPort), ("a:+1", .invalidPort), (":80", .missingHost), ("::1:80", .invalidHost),
        ("[]:80", .invalidHost), ("a b:80", .invalidHost), ("unix:", .missingPath), ("http://a:80", .invalidHost),
        ("unix:/" + String(repeating: "x", count: 107), .pathTooLong),
    ])
    func `a text that is no endpoint is refused with its reason`(text: String, expected: Endpoint.ParseError) {
        #expect(throws: expected) { try Endpoint(parsing: text) }
    }

    @Test func `numeric addresses are recognised, names are not`() {
        #expect(SocketAddress(numericHost: "127.0.0.1", port: 80) == .ipv4([127, 0, 0, 1], port: 80))
        #expect(SocketAddress(numericHost: "::1", port: 80)?.description == "[::1]:80")
        #expect(SocketAddress(numericHost: "localhost", port: 80) == nil)
        #expect(SocketAddress(numericHost: "256.1.1.1", port: 80) == nil)
    }

    @Test @ReactorActor func `a name from the hosts file resolves, an unknown one does not`() async throws {
        let addresses = try await Resolver.resolve(.tcp(host: "localhost", port: 80))
        #expect(addresses.contains { $0.numericHost == "127.0.0.1" || $0.numericHost == "::1" })
        await #expect(throws: ResolutionError.self) {
            _ = try await Resolver.resolve(.tcp(host: "name.invalid", port: 80), within: .milliseconds(300))
        }
    }

    @Test func `back-off stays within its growing ceiling and starts again after a reset`() {
        var generator = SystemRandomNumberGenerator()
        var backoff = Backoff(first: .milliseconds(10), cap: .milliseconds(35))
        for ceiling in [10, 20, 35, 35] {
            #expect((.zero)...(.milliseconds(ceiling)) ~= backoff.next(using: &generator))
        }
        backoff.reset()
        #expect(backoff.next(using: &generator) <= .milliseconds(10))
    }
}
