import HTTPServer
import HTTPWire
import Reactor
import TestSupport
import Testing

@testable import Proxy

/// What belongs to one hop and stays there, wherever in a message it stands.
@Suite struct HopTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `an interim answer says no more than a final one may`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            server.send(
                "HTTP/1.1 103 Early Hints\r\nConnection: X-Back\r\nX-Back: 1\r\nX-Request-Id: evil\r\n"
                    + "Proxy-Authenticate: Basic\r\nLink: </a>\r\n\r\n"
            )
            let hints = try await client.take(through: "\r\n\r\n")
            #expect(hints == "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        }
    }

    @Test @ReactorActor func `an answer may have many fields`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            let lines = (1...900).map { "Set-Cookie: a\($0)=1\r\n" }.joined()
            server.send("HTTP/1.1 200 OK\r\n\(lines)Content-Length: 2\r\n\r\nok")
            let answer = try await client.takeResponse()
            #expect(answer.status == 200)
            #expect(answer.fields.filter { $0.name == "set-cookie" }.count == 900)
        }
    }
}
