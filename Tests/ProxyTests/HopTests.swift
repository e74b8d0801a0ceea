import HTTPServer
import HTTPWire
import Reactor
import TestSupport
import Testing

@testable import Proxy

/// What belongs to one hop and stays there, wherever in a message it stands.
@Suite struct HopTests {
    init() { Reactor.runInBackground() }

    private static let forged = [
        "X-Hop: 1", "X-Forwarded-For: 6.6.6.6", "X_Forwarded_Host: evil", "X-Real-IP: 6.6.6.6",
        "Forwarded: for=6.6.6.6", "Via: 1.1 evil", "Proxy-Authorization: secret", "Proxy: evil", "X-Request-Id: evil",
        "traceparent: evil",
    ]

    @Test @ReactorActor func `what only a hop may say it may not say behind the body either`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            let trailers = Self.forged.map { "\($0)\r\n" }.joined()
            client.send(
                "POST / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "1\r\na\r\n0\r\nX-Sum: 1\r\n\(trailers)X-Last: 2\r\n\r\n"
            )
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            #expect(try await server.take(through: "\r\n\r\n") == "1\r\na\r\n0\r\nX-Sum: 1\r\nX-Last: 2\r\n\r\n")
            server.send(
                "HTTP/1.1 200 OK\r\nConnection: X-Back\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n"
                    + "X-Back: 1\r\nX-Request-Id: evil\r\nProxy-Authenticate: Basic\r\nX-End: 2\r\n\r\n"
            )
            _ = try await client.take(through: "\r\n\r\n")
            #expect(try await client.take(through: "\r\n\r\n") == "1\r\nb\r\n0\r\nX-End: 2\r\n\r\n")
        }
    }

    @Test(arguments: [("", "Upgrade"), ("Connection: close\r\n", "close, Upgrade")]) @ReactorActor
    func `a client learns which protocol it is to ask for`(line: String, options: String) async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\(line)\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            server.send(
                "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: a/1\r\nContent-Length: 0\r\n\r\n"
            )
            let answer = try await client.takeResponse()
            #expect(answer.status == 426)
            #expect(answer["upgrade"] == "a/1")
            #expect(answer["connection"] == options)
        }
    }

    @Test @ReactorActor func `trailers that come late are looked at as well`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "1\r\na\r\n")
            client.send("0\r\nX-Forwarded-For: 6.6.6.6\r\nX-Sum: 1\r\n\r\n")
            #expect(try await server.take(through: "\r\n\r\n") == "0\r\nX-Sum: 1\r\n\r\n")
            server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n")
            _ = try await client.take(through: "1\r\nb\r\n")
            server.send("0\r\nX-Request-Id: evil\r\nX-End: 2\r\n\r\n")
            #expect(try await client.take(through: "\r\n\r\n") == "0\r\nX-End: 2\r\n\r\n")
        }
    }

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

    @Test(
        arguments: [
            ("GET", ["Connection: upgrade", "Upgrade: websocket"], "websocket"),
            ("POST", ["Connection: Upgrade", "Upgrade: a/1", "Content-Length: 0"], "a/1"),
            ("OPTIONS", ["Connection: Upgrade", "Upgrade: TLS/1.0"], "TLS/1.0"),
            ("POST", ["Connection: Upgrade", "Upgrade: a", "Content-Length: 1"], nil),
            ("POST", ["Connection: Upgrade", "Upgrade: a", "Transfer-Encoding: chunked"], nil),
            ("GET", ["Connection: Upgrade", "Upgrade: h2c"], nil), ("GET", ["Connection: Upgrade"], nil),
            ("GET", ["Connection: Upgrade", "Upgrade: , "], nil), ("GET", ["Upgrade: websocket"], nil),
            ("GET", ["Connection: Upgrade", "Upgrade: websocket, h2c"], "websocket"),
            ("GET", ["Connection: Upgrade", "Upgrade: H2C ,a,,b"], "a, b"),
            ("GET", ["Connection: Upgrade", "Upgrade: a", "Upgrade: h2c", "Upgrade: b"], "a, b"),
        ] as [(String, [String], String?)]
    )
    @ReactorActor
    func `which other protocols are asked for`(method: String, lines: [String], wish: String?) throws {
        #expect(ForwardedHead.upgrade(of: try TestHeads.request(lines, method: method)) == wish)
    }

    @Test @ReactorActor func `another protocol may begin with a POST without a body`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send(
                "POST /attach HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp, h2c\r\n"
                    + "Content-Length: 0\r\n\r\nearly"
            )
            let server = try await proxy.upstream.accept()
            let head = try await server.take(through: "\r\n\r\n")
            #expect(head.contains("\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"))
            server.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello")
            #expect(try await client.take(through: "\r\n\r\n").contains("\r\nUpgrade: tcp\r\n"))
            #expect(try await client.take(5) == Array("hello".utf8))
            #expect(try await server.take(5) == Array("early".utf8))
        }
    }

    @Test(
        arguments: [
            ("OPTIONS", ["5"], ["4"]), ("TRACE", ["1"], ["0"]), ("OPTIONS", ["010"], ["9"]), ("GET", ["0"], ["0"]),
            ("OPTIONS", ["x"], ["x"]), ("TRACE", ["-1"], ["-1"]), ("OPTIONS", ["1", "1"], ["1", "1"]),
            ("OPTIONS", ["99999999999999999999"], ["99999999999999999999"]), ("OPTIONS", [], []),
        ] as [(String, [String], [String])]
    )
    @ReactorActor
    func `hops are counted down for who asks about the way`(method: String, said: [String], passed: [String])
        async throws
    {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            let lines = said.map { "Max-Forwards: \($0)\r\n" }.joined()
            client.send("\(method) / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n")
            let server = try await proxy.upstream.accept()
            let head = try await server.take(through: "\r\n\r\n").split(separator: "\r\n").map { String($0) }
            #expect(head.filter { $0.hasPrefix("Max-Forwards") } == passed.map { "Max-Forwards: \($0)" })
        }
    }

    @Test(arguments: [("OPTIONS", 204), ("TRACE", 405)]) @ReactorActor
    func `where no hop is left the answer is ours`(method: String, status: Int) async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send("\(method) / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
            let answer = try await client.takeResponse()
            #expect(answer.status == status)
            #expect(answer.body.contains("METHOD_NOT_ALLOWED") == (status == 405))
            #expect(status != 405 || answer["allow"] == "OPTIONS")
            #expect(proxy.upstream.acceptedCount == 0)
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
