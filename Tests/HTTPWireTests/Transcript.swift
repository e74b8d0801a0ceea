import HTTPWire

/// What a parser makes of a byte stream, as lines that a test can compare.
///
/// Pieces of a body are joined.
struct Transcript: Equatable {
    var lines: [String] = []
    private var body: [UInt8] = []

    mutating func add(_ line: String) { lines.append(line) }

    mutating func addBody(_ bytes: Span<UInt8>) { body.append(copying: bytes) }

    mutating func finishMessage() {
        lines.append("end body=" + String(decoding: body, as: UTF8.self))
        body = []
    }

    mutating func add(_ error: HTTPParseError) { lines.append("error \(error)") }

    /// The requests in `wire`, given to the parser in pieces that end at `cuts` and every `size` bytes, byte for byte
    /// no sooner than the parser asks.
    static func requests(
        _ wire: [UInt8],
        cutEvery size: Int = .max,
        cutAt cut: Int = 0,
        limits: HTTPLimits = HTTPLimits()
    ) -> Transcript {
        var transcript = Transcript()
        var parser = RequestParser(limits: limits)
        do throws(HTTPParseError) {
            try forEachPiece(of: wire, size, cut) { piece throws(HTTPParseError) in
                var position = 0
                while true {
                    let rest = piece.span.extracting(position..<piece.count)
                    let (action, consumed) = try parser.step(rest)
                    switch action {
                    case .needMoreBytes:
                        precondition(consumed == rest.count, "a parser that wants more leaves nothing")
                        return
                    case .deliverHead(let head):
                        transcript.add(head)
                        if !head.framing.hasBytes { transcript.finishMessage() }
                    case .deliverBody(let range): transcript.addBody(rest.extracting(range))
                    case .finishRequest: transcript.finishMessage()
                    }
                    position += consumed
                }
            }
            try parser.connectionEnded()
        } catch {
            transcript.add(error)
        }
        return transcript
    }

    /// The responses in `wire` to requests with `methods`.
    static func responses(
        _ wire: [UInt8],
        to methods: [HTTPMethod] = [.get],
        cutEvery size: Int = .max,
        cutAt cut: Int = 0,
        limits: HTTPLimits = HTTPLimits()
    ) -> Transcript {
        var transcript = Transcript()
        var parser = ResponseParser(limits: limits)
        var expected = methods[...]
        if let method = expected.popFirst() { parser.expectResponse(to: method) }
        do throws(HTTPParseError) {
            try forEachPiece(of: wire, size, cut) { piece throws(HTTPParseError) in
                var position = 0
                while true {
                    let rest = piece.span.extracting(position..<piece.count)
                    let (action, consumed) = try parser.step(rest)
                    switch action {
                    case .needMoreBytes:
                        precondition(consumed == rest.count, "a parser that wants more leaves nothing")
                        return
                    case .deliverInterim(let head): transcript.add("interim \(head.status)")
                    case .deliverHead(let head): transcript.add(head)
                    case .deliverBody(let range): transcript.addBody(rest.extracting(range))
                    case .finishResponse:
                        transcript.finishMessage()
                        if let method = expected.popFirst() { parser.expectResponse(to: method) }
                    }
                    position += consumed
                }
            }
            if case .finishResponse = try parser.connectionEnded() { transcript.finishMessage() }
        } catch {
            transcript.add(error)
        }
        return transcript
    }

    private mutating func add(_ head: RequestHead) {
        let flags = [head.keepsAlive ? "" : " close", head.expectsContinue ? " expects" : ""].joined()
        let version = head.version == .http10 ? " 1.0" : ""
        lines.append("\(head.method) \(head.target)\(version) fields=\(head.fields.count) \(head.framing)\(flags)")
    }

    private mutating func add(_ head: ResponseHead) {
        let version = head.version == .http10 ? " 1.0" : ""
        let flags = head.keepsAlive ? "" : " close"
        lines.append("\(head.status.code)\(version) fields=\(head.fields.count) \(head.framing)\(flags)")
    }

    /// Calls `body` with `wire` in one piece per `size` bytes, the first one ending at `cut`.
    private static func forEachPiece(
        of wire: [UInt8],
        _ size: Int,
        _ cut: Int,
        _ body: ([UInt8]) throws(HTTPParseError) -> Void
    ) throws(HTTPParseError) {
        var start = 0
        if cut > 0 {
            start = min(cut, wire.count)
            try body(Array(wire[..<start]))
        }
        while start < wire.count {
            let end = size < wire.count - start ? start + size : wire.count
            try body(Array(wire[start..<end]))
            start = end
        }
    }
}

extension Array where Element == UInt8 {
    /// The bytes of `text`.
    init(_ text: String) { self = Array(text.utf8) }
}
