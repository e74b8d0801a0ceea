import Reactor
import TestSupport
import Testing

extension EndToEndTests {
    /// Messages that are not HTTP, could be read in two ways, or are too large: RFC 9112 and CONTRACT §1.
    @Suite struct RefusalTests {
        private let system: System

        init() throws { system = try #require(RunningSystem.current) }

        /// A message, and the error that it gets.
        struct Refusal: Sendable, CustomTestStringConvertible {
            let message: String
            var status = 400
            var code = "MALFORMED_REQUEST"

            var testDescription: String { String(message.prefix(60)).debugDescription }
        }

        static let refusals: [Refusal] =
            [
                "GET /health HTTP/1.1\r\n\r\n",
                "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                "GET /health HTTP/1.1\nHost: a\n\n",
                "GET  /health HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET /health\r\nHost: a\r\n\r\n",
                "GET /he alth HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET /health HTTP/1.1 \r\nHost: a\r\n\r\n",
                "GET /health HTTX/1.1\r\nHost: a\r\n\r\n",
                "GET health HTTP/1.1\r\nHost: a\r\n\r\n",
                "G@T /health HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET /health HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
                "GET /health HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
                "GET /health HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
                "GET /health HTTP/1.1\r\nHost: a\r\nX: \u{0}\r\n\r\n",
                "GET /health HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
                "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
                "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\na",
                "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na",
                "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "POST /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
                "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\r\n\r\n",
            ]
            .map { Refusal(message: $0) }
            + [
                Refusal(
                    message: "GET /\(String(repeating: "a", count: 8200)) HTTP/1.1\r\nHost: a\r\n\r\n",
                    status: 414,
                    code: "URI_TOO_LONG"
                ),
                Refusal(
                    message: "GET /health HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 17_000))\r\n\r\n",
                    status: 431,
                    code: "HEADERS_TOO_LARGE"
                ),
                Refusal(
                    message: "GET /health HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: 1\r\n", count: 4000))\r\n",
                    status: 431,
                    code: "HEADERS_TOO_LARGE"
                ),
                Refusal(
                    message: "POST /prices/average HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n",
                    status: 413,
                    code: "PAYLOAD_TOO_LARGE"
                ),
                Refusal(
                    message: "GET /health HTTP/2.0\r\nHost: a\r\n\r\n",
                    status: 505,
                    code: "HTTP_VERSION_NOT_SUPPORTED"
                ),
                Refusal(
                    message: "POST /prices/average HTTP/1.1\r\nHost: a\r\nExpect: rain\r\nContent-Length: 1\r\n\r\na",
                    status: 417,
                    code: "EXPECTATION_FAILED"
                ),
            ]

        @Test(arguments: Role.allCases, refusals) @ReactorActor
        func `what cannot or must not be read is refused in the one shape`(role: Role, refusal: Refusal) async throws {
            let socket = try await TestSocket(to: system.endpoint(role))
            defer { socket.close() }
            socket.send(refusal.message)
            expectError(try await socket.takeResponse(), refusal.status, refusal.code)
            socket.finishSending()
            #expect(try await socket.takeAll() == "", "nothing comes after it")
        }
    }
}
