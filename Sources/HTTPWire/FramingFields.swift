/// What the fields of a head say about where its message ends and what becomes of the connection.
struct FramingFields: Sendable {
    private(set) var host: ByteRange?
    private(set) var contentLength: Int?
    private(set) var isChunked = false
    private(set) var expectsContinue = false
    /// Whether something else is expected.
    private(set) var expectsOther = false
    /// Whether `Connection` says that another protocol would be welcome.
    private(set) var asksForUpgrade = false
    private var asksToClose = false
    private var asksToKeepAlive = false

    mutating func take(_ name: KnownName, _ value: Range<Int>, _ bytes: Span<UInt8>) throws(HTTPParseError) {
        switch name {
        case .host:
            guard host == nil, Authority.isValid(value, bytes) else { throw .invalidHost }
            host = ByteRange(value)
        case .contentLength:
            guard contentLength == nil else { throw .invalidContentLength }
            contentLength = try Self.decimal(bytes.extracting(value))
        case .transferEncoding:
            guard !isChunked else { throw .ambiguousFraming }
            guard bytes.equalsIgnoringCase(value, "chunked") else { throw .unsupportedTransferCoding }
            isChunked = true
        case .connection:
            takeConnection(value, bytes)
        case .expect:
            // Judged when the head is complete: it is no reason to doubt the rest.
            if bytes.equalsIgnoringCase(value, "100-continue") { expectsContinue = true } else { expectsOther = true }
        case .other, .te, .date, .trailer, .upgrade, .keepAlive, .proxyConnection:
            break
        }
    }

    private mutating func takeConnection(_ value: Range<Int>, _ bytes: Span<UInt8>) {
        forEachListMember(of: value, in: bytes) { member, bytes in
            if bytes.equalsIgnoringCase(member, "close") {
                asksToClose = true
            } else if bytes.equalsIgnoringCase(member, "keep-alive") {
                asksToKeepAlive = true
            } else if bytes.equalsIgnoringCase(member, "upgrade") {
                asksForUpgrade = true
            }
        }
    }

    /// Digits only: no sign, no list, no space. 18 of them cannot overflow, and no body is an exabyte long.
    private static func decimal(_ digits: Span<UInt8>) throws(HTTPParseError) -> Int {
        guard (1...18).contains(digits.count) else { throw .invalidContentLength }
        var number = 0
        for index in digits.indices {
            guard ASCII.isDigit(digits[index]) else { throw .invalidContentLength }
            number = number * 10 + Int(digits[index] - ASCII.zero)
        }
        return number
    }

    /// The framing that both messages share: never both lengths, chunked only in HTTP/1.1 (RFC 9112 §6.1, §6.3).
    func checked(version: HTTPVersion) throws(HTTPParseError) {
        guard isChunked else { return }
        guard contentLength == nil, version == .http11 else { throw .ambiguousFraming }
    }

    /// Whether the connection may carry another message after this one (RFC 9112 §9.3).
    func keepsAlive(version: HTTPVersion) -> Bool {
        switch version {
        case .http11: !asksToClose
        case .http10: asksToKeepAlive && !asksToClose
        }
    }
}
