/// The request line and the fields of a request, checked.
///
/// One buffer, owned by ``fields``, holds everything as it came; the properties make a `String` when they are asked.
public struct RequestHead: Sendable {
    /// Any token, as it came: methods are case-sensitive (RFC 9110 §9.1). Not `CONNECT`, which is refused.
    public let method: HTTPMethod
    /// The version in the request line.
    public let version: HTTPVersion
    /// The fields, in order.
    public private(set) var fields: HTTPFields
    /// How the end of the body is found: `none`, `length` or `chunked`.
    public let framing: BodyFraming
    /// Whether the client means to send another request on the connection (RFC 9112 §9.3).
    public let keepsAlive: Bool
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).
    public let expectsContinue: Bool
    /// Whether what follows may be in another protocol, if the answer is 101 (RFC 9110 §7.8).
    public let asksForUpgrade: Bool

    private let requestTarget: RequestTarget
    private let host: ByteRange?

    init(_ section: consuming HeadSection<RequestLine>) throws(HTTPParseError) {
        let line = section.line
        let framingFields = section.framing
        try framingFields.checked(version: line.version)
        guard !framingFields.expectsOther else { throw .unsupportedExpectation }
        host = try Self.host(line, framingFields)
        method = line.method
        version = line.version
        requestTarget = line.target
        framing =
            if framingFields.isChunked { .chunked } else { framingFields.contentLength.map { .length($0) } ?? .none }
        keepsAlive = framingFields.keepsAlive(version: line.version)
        // An expectation without a body is void, and HTTP/1.0 knows none (RFC 9110 §10.1.1).
        expectsContinue = framingFields.expectsContinue && line.version == .http11 && framing.hasBytes
        // HTTP/1.0 knows no other protocol, and behind a body it would be anybody's guess where that begins.
        asksForUpgrade = framingFields.asksForUpgrade && line.version == .http11 && !framing.hasBytes
        fields = section.fields
    }

    /// The host that is asked: of the absolute form if the target is in it, whatever the field says, else of the field
    /// (RFC 9112 §3.2.2), which HTTP/1.1 wants in any case.
    private static func host(_ line: RequestLine, _ fields: FramingFields) throws(HTTPParseError) -> ByteRange? {
        guard fields.host != nil || line.version == .http10 else { throw .invalidHost }
        return line.target.authority ?? fields.host
    }
}

extension RequestHead {
    private var bytes: [UInt8] { fields.bytes }

    /// The target as it stands in the request line.
    public var target: String { bytes.span.text(requestTarget.whole) }

    /// The path without the query, still percent-encoded; `*` for the asterisk form.
    ///
    /// Its escapes are well-formed.
    public var path: String { requestTarget.path.isEmpty ? "/" : bytes.span.text(requestTarget.path) }

    /// The bytes of ``path``, without a copy.
    public var pathBytes: ArraySlice<UInt8> {
        requestTarget.path.isEmpty ? [ASCII.slash] : bytes[requestTarget.path.bounds]
    }

    /// What stands behind the `?`, still percent-encoded; nil without one.
    public var query: String? { requestTarget.query.map { bytes.span.text($0) } }

    /// The bytes of ``query``, without a copy.
    public var queryBytes: ArraySlice<UInt8>? { requestTarget.query.map { bytes[$0.bounds] } }

    /// Path and query, as a proxy passes them on: the target without scheme and authority.
    public var pathAndQuery: String {
        if requestTarget.authority == nil { return target }
        return path + (query.map { "?" + $0 } ?? "")
    }

    /// The bytes of ``pathAndQuery``, without a copy where the path is not left out.
    public var pathAndQueryBytes: ArraySlice<UInt8> {
        let whole = requestTarget.whole.bounds
        guard !requestTarget.path.isEmpty else {
            return [ASCII.slash] + (queryBytes.map { [ASCII.questionMark] + $0 } ?? [])
        }
        return bytes[requestTarget.path.bounds.lowerBound..<whole.upperBound]
    }

    /// The same head without the fields of a name.
    public func without(_ name: String) -> RequestHead {
        var head = self
        head.fields.remove(name)
        return head
    }

    /// `host` or `host:port` that the client asked for; nil only in HTTP/1.0.
    public var authority: String? { host.map { bytes.span.text($0) } }

    /// The bytes of ``authority``, without a copy.
    public var authorityBytes: ArraySlice<UInt8>? { host.map { bytes[$0.bounds] } }

    /// The parameters of the query, decoded.
    ///
    /// - Parameter limit: Most parameters accepted.
    public func queryParameters(limit: Int = 64) throws(QueryError) -> QueryParameters {
        guard let range = requestTarget.query else { return QueryParameters() }
        return try QueryParameters(parsing: bytes.span.extracting(range.bounds), limit: limit)
    }
}

extension BodyFraming {
    /// Whether at least one byte follows the head.
    public var hasBytes: Bool {
        switch self {
        case .none, .length(0): false
        case .length, .chunked, .untilClose: true
        }
    }
}

/// `method SP request-target SP HTTP-version` (RFC 9112 §3), with single spaces.
struct RequestLine: StartLine {
    let method: HTTPMethod
    let target: RequestTarget
    let version: HTTPVersion

    static func rules(within limits: HTTPLimits) -> SectionRules.StartLine {
        // The longest line: method SP target SP "HTTP/1.1" CRLF.
        let longestBytes = HTTPMethod.longestBytes + limits.targetBytes + 12
        return SectionRules.StartLine(
            malformed: .malformedRequestLine,
            // Some clients end a body with a line end too many; RFC 9112 §2.2 wants one of them passed over.
            toleratedEmptyLines: 1,
            limitBytes: min(longestBytes, limits.headBytes),
            tooLong: .targetTooLong(limitBytes: limits.targetBytes)
        )
    }

    init(_ bytes: Span<UInt8>, _ line: Range<Int>, within limits: HTTPLimits) throws(HTTPParseError) {
        var methodEnd = line.lowerBound
        while methodEnd < line.upperBound, ASCII.isToken(bytes[methodEnd]) { methodEnd += 1 }
        guard (1...HTTPMethod.longestBytes).contains(methodEnd - line.lowerBound),
            methodEnd < line.upperBound, bytes[methodEnd] == ASCII.space
        else { throw .malformedRequestLine }

        let targetStart = methodEnd + 1
        // " HTTP/1.1" ends the line; what is before it is the target, and a target holds no space.
        let targetEnd = line.upperBound - 9
        guard targetEnd > targetStart, bytes[targetEnd] == ASCII.space else { throw .malformedRequestLine }
        version = try HTTPVersion(bytes, at: targetEnd + 1, malformed: .malformedRequestLine)
        guard targetEnd - targetStart <= limits.targetBytes else {
            throw .targetTooLong(limitBytes: limits.targetBytes)
        }
        method = HTTPMethod(bytes.extracting(line.lowerBound..<methodEnd))
        target = try RequestTarget(bytes, targetStart..<targetEnd, method: method)
    }
}

extension HTTPVersion {
    /// `"HTTP/" DIGIT "." DIGIT` in the 8 bytes at `start` (RFC 9112 §2.3); the letters are case-sensitive.
    ///
    /// A higher minor version is read as the highest that is known (RFC 9110 §2.5).
    init(_ bytes: Span<UInt8>, at start: Int, malformed: HTTPParseError) throws(HTTPParseError) {
        let name: [5 of UInt8] = [0x48, 0x54, 0x54, 0x50, 0x2F]
        for index in 0..<5 where bytes[start + index] != name[index] { throw malformed }
        let (major, dot, minor) = (bytes[start + 5], bytes[start + 6], bytes[start + 7])
        guard ASCII.isDigit(major), dot == ASCII.dot, ASCII.isDigit(minor) else { throw malformed }
        guard major == ASCII.zero + 1 else { throw .unsupportedVersion }
        self = minor == ASCII.zero ? .http10 : .http11
    }
}
