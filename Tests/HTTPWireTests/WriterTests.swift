import HTTPWire
import Testing

@Suite struct WriterTests {
    private let date = [UInt8]("Date: now\r\n")

    private func response(
        _ status: HTTPStatus = .ok,
        _ fields: HTTPFields = [:],
        _ framing: BodyFraming = .length(2),
        version: HTTPVersion = .http11,
        keepsAlive: Bool = true
    ) -> String {
        var buffer: [UInt8] = []
        HeadWriter.appendResponse(
            status,
            fields: fields,
            framing: framing,
            version: version,
            keepsAlive: keepsAlive,
            date: date,
            to: &buffer
        )
        return String(decoding: buffer, as: UTF8.self)
    }

    @Test func `a line that was made before is written as it would be now`() {
        var buffer: [UInt8] = []
        HeadWriter.append(FieldLine("Via", "1.1 a"), to: &buffer)
        #expect(String(decoding: buffer, as: UTF8.self) == "Via: 1.1 a\r\n")
    }

    @Test func `a response head is written with what frames it`() {
        #expect(
            response(.ok, ["Content-Type": "text/plain"])
                == "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n"
        )
        #expect(
            response(.notFound, [:], .chunked, keepsAlive: false)
                == "HTTP/1.1 404 Not Found\r\nDate: now\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        )
        #expect(response(.noContent, [:], .none) == "HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n")
        #expect(
            response(.ok, [:], .length(0), version: .http10)
                == "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
        )
        #expect(response(HTTPStatus(rawValue: 299), [:], .none).hasPrefix("HTTP/1.1 299 \r\n"))
    }

    @Test func `fields that frame are the writer's alone, and a date that is there is kept`() {
        let fields: HTTPFields = [
            "content-length": "99", "Transfer-Encoding": "gzip", "CONNECTION": "upgrade", "Keep-Alive": "1",
            "date": "then",
        ]
        #expect(response(.ok, fields) == "HTTP/1.1 200 OK\r\ndate: then\r\nContent-Length: 2\r\n\r\n")
    }

    @Test func `a request head is written with its host and what frames it`() {
        var buffer: [UInt8] = []
        HeadWriter.appendRequest(
            .post,
            target: "/a?b",
            authority: "h:80",
            fields: ["Host": "other", "Accept": "*/*", "Content-Length": "7"],
            framing: .length(3),
            keepsAlive: false,
            to: &buffer
        )
        #expect(
            String(decoding: buffer, as: UTF8.self)
                == "POST /a?b HTTP/1.1\r\nHost: h:80\r\nAccept: */*\r\nConnection: close\r\nContent-Length: 3\r\n\r\n"
        )
    }

    @Test(arguments: ["/a b", "/a\r\nX: y", "", "/é"])
    func `a target that would break the request line stops the process`(target: String) async {
        await #expect(processExitsWith: .failure) { [target] in
            var buffer: [UInt8] = []
            HeadWriter.appendRequest(.get, target: target, authority: "a", fields: [:], framing: .none, to: &buffer)
        }
    }

    @Test func `a value cannot end its field`() {
        let fields: HTTPFields = ["Location": "/a\r\nSet-Cookie: b\0c\u{7F}\t"]
        #expect(fields["location"] == "/a  Set-Cookie: b c")
        #expect(!response(.found, fields).contains("\r\nSet-Cookie"))
    }

    @Test func `chunks are written with their size in hexadecimal digits`() {
        var buffer: [UInt8] = []
        ChunkedEncoder.appendChunk([UInt8]("hello").span, to: &buffer)
        ChunkedEncoder.appendChunk([UInt8]("").span, to: &buffer)
        ChunkedEncoder.appendEnd(to: &buffer)
        #expect(String(decoding: buffer, as: UTF8.self) == "5\r\nhello\r\n0\r\n\r\n")
        for size in [1, 9, 10, 15, 16, 255, 256, 4095, 65_536, 0xABCDEF] {
            buffer = []
            ChunkedEncoder.appendChunkStart(byteCount: size, to: &buffer)
            #expect(String(decoding: buffer, as: UTF8.self) == String(size, radix: 16) + "\r\n")
        }
    }

    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"), (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ])
    func `dates are written as HTTP wants them`(seconds: Int, expected: String) {
        #expect(HTTPDate.format(unixSeconds: seconds) == expected)
        var field = DateField()
        #expect(field.line(unixSeconds: seconds) == [UInt8]("Date: \(expected)\r\n"))
        #expect(field.line(unixSeconds: seconds) == [UInt8]("Date: \(expected)\r\n"))
        #expect(field.line(unixSeconds: 0) == [UInt8]("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"))
    }
}
