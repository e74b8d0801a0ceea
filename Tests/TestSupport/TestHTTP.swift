public import Reactor

/// An HTTP response as a client sees it, parsed independently of the code under test.
public struct TestResponse: Sendable, Equatable {
    /// The status code.
    public var status: Int
    /// The header fields in order, names in lower case.
    public var fields: [(name: String, value: String)]
    /// The body, without its transfer coding.
    public var body: String

    /// The value of the first field of that name.
    public subscript(name: String) -> String? { fields.first { $0.name == name.lowercased() }?.value }

    /// By status, fields and body.
    public static func == (left: TestResponse, right: TestResponse) -> Bool {
        left.status == right.status && left.body == right.body && left.fields.elementsEqual(right.fields, by: ==)
    }
}

extension TestSocket {
    /// Waits for the next response and takes it.
    ///
    /// - Parameter method: Of the request; the answer to HEAD has no body whatever its fields say.
    public func takeResponse(to method: String = "GET") async throws -> TestResponse {
        let head = try await take(through: "\r\n\r\n").components(separatedBy: "\r\n")
        let words = head[0].split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw TestFailure(description: "not a status line: \(head[0])")
        }
        let fields = head.dropFirst().filter { !$0.isEmpty }.map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (name: parts[0].lowercased(), value: parts.count < 2 ? "" : parts[1].trimmed)
        }
        var response = TestResponse(status: status, fields: fields, body: "")
        if method == "HEAD" || status == 204 || status == 304 || (100...199).contains(status) { return response }
        if response["content-type"] == "text/event-stream" {
            // It has no end; its first lines stand for it.
            response.body = try await take(through: "\n\n")
        } else if response["transfer-encoding"] == "chunked" {
            response.body = String(decoding: try await takeChunks(), as: UTF8.self)
        } else if let length = response["content-length"].flatMap({ Int($0) }) {
            response.body = String(decoding: try await take(length), as: UTF8.self)
        } else {
            response.body = try await takeAll()
        }
        return response
    }

    private func takeChunks() async throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            let line = try await take(through: "\r\n")
            guard let size = Int(line.prefix { $0.isHexDigit }, radix: 16) else {
                throw TestFailure(description: "not a chunk size: \(line)")
            }
            if size == 0 { break }
            body += try await take(size)
            _ = try await take(through: "\r\n")
        }
        while try await take(through: "\r\n") != "\r\n" {}
        return body
    }
}

/// One request on a connection of its own.
///
/// - Parameters:
///   - target: The request target, sent as it is.
///   - fields: Complete header lines, such as `X-Request-Id: 7`.
@ReactorActor
public func request(
    _ method: String = "GET",
    _ target: String,
    on endpoint: Endpoint,
    fields: [String] = [],
    body: String? = nil
) async throws -> TestResponse {
    try await request(method, target, on: endpoint, fields: fields, bytes: body.map { Array($0.utf8) })
}

/// The same with any bytes as its body.
@ReactorActor
public func request(
    _ method: String = "GET",
    _ target: String,
    on endpoint: Endpoint,
    fields: [String] = [],
    bytes body: [UInt8]?
) async throws -> TestResponse {
    let socket = try await TestSocket(to: endpoint)
    defer { socket.close() }
    var lines = ["\(method) \(target) HTTP/1.1", "Host: localhost", "Connection: close"] + fields
    if let body { lines.append("Content-Length: \(body.count)") }
    socket.send(Array((lines.map { $0 + "\r\n" }.joined() + "\r\n").utf8) + (body ?? []))
    return try await socket.takeResponse(to: method)
}

extension StringProtocol {
    fileprivate var trimmed: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

extension String {
    /// The parts between the separators, without Foundation.
    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [[UInt8]] = [[]]
        let mark = Array(separator.utf8)
        for byte in utf8 {
            parts[parts.count - 1].append(byte)
            if parts[parts.count - 1].suffix(mark.count).elementsEqual(mark) {
                parts[parts.count - 1].removeLast(mark.count)
                parts.append([])
            }
        }
        return parts.map { String(decoding: $0, as: UTF8.self) }
    }
}
