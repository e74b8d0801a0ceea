/// The status line and the fields of a response, checked.
public struct ResponseHead: Sendable {
    /// The status.
    public let status: HTTPStatus
    /// The version in the status line.
    public let version: HTTPVersion
    /// The fields, in order.
    public let fields: HTTPFields
    /// How the end of the body is found; `none` also where fields announce a body that an answer to HEAD has not.
    public let framing: BodyFraming
    /// What `Content-Length` says, also in an answer to HEAD and in a 304, where it describes a body that is not there.
    public let contentLength: Int?
    /// Whether the connection can carry another request after this response (RFC 9112 §9.3).
    public let keepsAlive: Bool

    init(_ section: consuming HeadSection<StatusLine>, method: HTTPMethod) throws(HTTPParseError) {
        let line = section.line
        let framingFields = section.framing
        try framingFields.checked(version: line.version)
        status = line.status
        version = line.version
        contentLength = framingFields.contentLength
        // RFC 9112 §6.3, in its order.
        framing =
            if method == .head || line.status.forbidsBody {
                .none
            } else if framingFields.isChunked {
                .chunked
            } else if let length = framingFields.contentLength {
                .length(length)
            } else {
                .untilClose
            }
        keepsAlive = framing != .untilClose && framingFields.keepsAlive(version: line.version)
        fields = section.fields
    }
}

/// `HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112 §4).
struct StatusLine: StartLine {
    let version: HTTPVersion
    let status: HTTPStatus

    static func rules(within limits: HTTPLimits) -> SectionRules.StartLine {
        SectionRules.StartLine(
            malformed: .malformedStatusLine,
            toleratedEmptyLines: 0,
            limitBytes: limits.headBytes,
            tooLong: .headTooLarge(limitBytes: limits.headBytes)
        )
    }

    init(_ bytes: Span<UInt8>, _ line: Range<Int>, within _: HTTPLimits) throws(HTTPParseError) {
        let start = line.lowerBound
        guard line.count >= 12, bytes[start + 8] == ASCII.space else { throw .malformedStatusLine }
        version = try HTTPVersion(bytes, at: start, malformed: .malformedStatusLine)
        var code: UInt16 = 0
        for index in start + 9..<start + 12 {
            guard ASCII.isDigit(bytes[index]) else { throw .malformedStatusLine }
            code = code * 10 + UInt16(bytes[index] - ASCII.zero)
        }
        // The space behind the code is missing from some servers that send no phrase; nothing else could be meant.
        guard line.count == 12 || bytes[start + 12] == ASCII.space, (100...599).contains(code) else {
            throw .malformedStatusLine
        }
        for index in start + 12..<line.upperBound where !ASCII.isFieldValue(bytes[index]) {
            throw .malformedStatusLine
        }
        status = HTTPStatus(rawValue: code)
    }
}

/// Turns the bytes of a connection to a server into responses, one for each request that was announced to it.
///
///     idle ──expectResponse──▶ head ──empty line──▶ body ──last byte──▶ idle      any ──error──▶ failed, for good
///
/// As ``RequestParser``, it never needs a byte twice.
public struct ResponseParser: ~Copyable {
    /// What the connection must do next.
    public enum Action: Sendable {
        /// Everything was consumed; read more.
        case needMoreBytes
        /// A 1xx response; the real one is still to come.
        case deliverInterim(ResponseHead)
        /// The response begins.
        case deliverHead(ResponseHead)
        /// A piece of the body: offsets into the bytes given to this step.
        case deliverBody(Range<Int>)
        /// The response is complete.
        case finishResponse
    }

    /// What is known of the request whose response comes.
    private struct Expected {
        let method: HTTPMethod
        let mayUpgrade: Bool
    }

    private enum State {
        case idle
        case head(Expected, interimResponses: Int)
        case body(BodyDecoder)
        case failed(HTTPParseError)
    }

    /// Most 1xx responses before the real one.
    ///
    /// More than a 100 and a few 103 means an endless stream of them.
    private static let interimLimit = 8

    /// What stood behind the last chunk of the response that ended last; nil for nothing. They are no fields of its
    /// head, and only who knows what they mean may merge them (RFC 9110 §6.5.1).
    public private(set) var trailers: HTTPFields?

    private let limits: HTTPLimits
    private var state = State.idle
    private var headReader: HeadReader<StatusLine>

    /// A parser for a new connection.
    public init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        headReader = HeadReader(within: limits)
    }

    /// Announces the request whose response comes next.
    ///
    /// Traps while another response is unfinished.
    ///
    /// - Parameter mayUpgrade: Whether the request asked for another protocol. Behind a 101 its bytes are delivered as
    ///   a body that ends with the connection.
    public mutating func expectResponse(to method: HTTPMethod, mayUpgrade: Bool = false) {
        guard case .idle = state else { preconditionFailure("one request at a time") }
        state = .head(Expected(method: method, mayUpgrade: mayUpgrade), interimResponses: 0)
    }

    /// Takes one step.
    ///
    /// - Parameter unread: Bytes received and not consumed by an earlier step.
    /// - Returns: The action, and how many leading bytes of `unread` are used up.
    /// - Throws: Why the stream is refused; the same again at every later step.
    public mutating func step(_ unread: Span<UInt8>) throws(HTTPParseError) -> (action: Action, consumed: Int) {
        do throws(HTTPParseError) {
            switch state {
            case .idle:
                guard unread.isEmpty else { throw HTTPParseError.unexpectedResponse }
                return (.needMoreBytes, 0)
            case .head(let expected, let interimResponses):
                return try stepHead(unread, expected, interimResponses)
            case .body(var decoder):
                state = .idle
                let (event, consumed) = try decoder.step(unread)
                switch event {
                case .needMoreBytes:
                    state = .body(decoder)
                    return (.needMoreBytes, consumed)
                case .bytes(let range):
                    state = .body(decoder)
                    return (.deliverBody(range), consumed)
                case .end:
                    trailers = decoder.trailers
                    return (.finishResponse, consumed)
                }
            case .failed(let error): throw error
            }
        } catch {
            state = .failed(error)
            headReader.reset()
            throw error
        }
    }

    /// Says what the end of the connection means: `finishResponse` where it ends the body, `needMoreBytes` (nothing)
    /// when no response was expected.
    ///
    /// - Throws: ``HTTPParseError/prematureEnd`` where it cuts a response short, or the error that ended the stream
    ///   before.
    public mutating func connectionEnded() throws(HTTPParseError) -> Action {
        switch state {
        case .idle: return .needMoreBytes
        case .body(let decoder) where decoder.endsWithConnection:
            state = .idle
            return .finishResponse
        case .head, .body:
            state = .failed(.prematureEnd)
            throw .prematureEnd
        case .failed(let error): throw error
        }
    }

    /// Whether no byte of the expected response has come yet; true also when none is expected.
    ///
    /// While it is true, a request on a connection that was closed may be sent again elsewhere.
    public var isBeforeFirstByte: Bool {
        switch state {
        case .idle: true
        case .head(_, let interimResponses): interimResponses == 0 && headReader.isEmpty
        case .body, .failed: false
        }
    }

    private mutating func stepHead(
        _ unread: Span<UInt8>,
        _ expected: Expected,
        _ interimResponses: Int
    ) throws(HTTPParseError) -> (action: Action, consumed: Int) {
        let (section, consumed) = try headReader.step(unread)
        guard let section else { return (.needMoreBytes, consumed) }
        let head = try ResponseHead(section, method: expected.method)
        guard head.status.isInformational else {
            state = .body(try BodyDecoder(head.framing, within: limits))
            return (.deliverHead(head), consumed)
        }
        if head.status == .switchingProtocols, expected.mayUpgrade {
            var limits = limits
            limits.bodyBytes = .max
            state = .body(try BodyDecoder(.untilClose, within: limits))
            return (.deliverHead(head), consumed)
        }
        guard head.status != .switchingProtocols, interimResponses < Self.interimLimit else {
            throw .unexpectedResponse
        }
        state = .head(expected, interimResponses: interimResponses + 1)
        return (.deliverInterim(head), consumed)
    }
}
