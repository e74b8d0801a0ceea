internal import HTTPWire
internal import JSONWire

extension Benchmark {
    /// What every request passes through: bytes to heads and back.
    static let wire = [
        Benchmark(name: "http/parse-request", kind: .core { requestParsing(Example.request) }),
        Benchmark(name: "http/parse-browser-request", kind: .core { requestParsing(Example.browserRequest) }),
        Benchmark(name: "http/write-response-head", kind: .core { responseHeadWriting() }),
        Benchmark(name: "http/parse-response", kind: .core { responseParsing() }),
        Benchmark(name: "http/query-parameters", kind: .core { queryParsing() }),
        Benchmark(name: "json/write-30-days", kind: .core { rowWriting() }),
        Benchmark(name: "json/parse-30-days", kind: .core { rowParsing() }),
    ]

    private static func requestParsing(_ text: String) -> Workload {
        let bytes = Array(text.utf8)
        let connection = ServerSide()
        return { count in
            for _ in 0..<count { keep(connection.request(in: bytes)) }
        }
    }

    private static func responseHeadWriting() -> Workload {
        let fields: HTTPFields = ["Content-Type": "application/json", "X-Request-Id": Example.requestID]
        var dates = DateField()
        let date = dates.line(unixSeconds: 1_735_689_600)
        var buffer: [UInt8] = []
        return { count in
            for _ in 0..<count {
                buffer.removeAll(keepingCapacity: true)
                HeadWriter.appendResponse(
                    .ok,
                    fields: fields,
                    framing: .length(685),
                    keepsAlive: true,
                    date: date,
                    to: &buffer
                )
                keep(buffer)
            }
        }
    }

    private static func responseParsing() -> Workload {
        let bytes = Array(Example.response.utf8)
        let connection = ClientSide()
        return { count in
            for _ in 0..<count { keep(connection.response(in: bytes)) }
        }
    }

    private static func queryParsing() -> Workload {
        let head = Example.requestHead
        return { count in
            for _ in 0..<count { keep(sure { try head.queryParameters() }) }
        }
    }

    private static func rowWriting() -> Workload {
        var writer = JSONWriter()
        let rows = Example.days(30)
        return { count in
            for _ in 0..<count {
                writer.removeAll()
                writer.object { writer in
                    writer.key("data")
                    writer.array { writer in
                        for row in rows {
                            writer.object { writer in
                                writer.member("date", row.date)
                                writer.key("average_price")
                                writer.number(text: row.price)
                            }
                        }
                    }
                }
                keep(writer)
            }
        }
    }

    private static func rowParsing() -> Workload {
        let text = Array(Example.answer(days: 30).utf8)
        let limits = JSONLimits(bytes: text.count)
        return { count in
            for _ in 0..<count { keep(sure { try JSONValue(parsing: text, limits: limits) }) }
        }
    }
}

/// A parser as a connection keeps it, for one request after the other. A class, because the parser is noncopyable and a
/// workload is a closure.
final class ServerSide {
    private var parser = RequestParser()

    func request(in bytes: [UInt8]) -> RequestHead {
        guard let (action, _) = try? parser.step(bytes.span), case .deliverHead(let head) = action,
            !head.framing.hasBytes
        else { preconditionFailure("the example is not a whole request without a body") }
        return head
    }
}

/// The same for responses.
private final class ClientSide {
    private var parser = ResponseParser()

    func response(in bytes: [UInt8]) -> ResponseHead {
        parser.expectResponse(to: .get)
        var head: ResponseHead?
        var unread = bytes.span
        while true {
            guard let (action, consumed) = try? parser.step(unread) else { preconditionFailure("not HTTP") }
            unread = unread.extracting(consumed...)
            switch action {
            case .deliverHead(let delivered): head = delivered
            case .deliverInterim, .deliverBody: break
            case .finishResponse:
                guard let head else { preconditionFailure("a response without a head") }
                return head
            case .needMoreBytes: preconditionFailure("the example is not a whole response")
            }
        }
    }
}
