/// Reads a head or a trailer section line by line, and remembers where it is when the bytes run out.
///
/// It is given the whole section from its first byte each time, and looks at no byte twice except those of an
/// unfinished line. Errors come at the first offending line, so they do not depend on how the network cut the bytes.
struct HeadScanner: Sendable {
    enum Event: Equatable {
        case needMoreBytes
        /// The start line, without its line end. The owner reads it and calls ``next(in:)`` again.
        case startLine(Range<Int>)
        /// The section ends before this offset; `entries` and `framing` are complete.
        case end(Int)
    }

    /// What goes before the fields; nil in a trailer section.
    struct StartLineRules: Sendable {
        let malformed: HTTPParseError
        /// How many empty lines in front of it are passed over.
        let toleratedEmptyLines: Int
        /// Longest line with its line end, in bytes, and the error that tells of a longer one.
        let limitBytes: Int
        let tooLong: HTTPParseError
    }

    private enum Place {
        case startLine(StartLineRules, emptyLines: Int)
        case fields
    }

    private let limits: HTTPLimits
    private let startLine: StartLineRules?

    private var place: Place
    private var lineStart = 0
    /// No line feed lies in `lineStart..<searched`.
    private var searched = 0

    private(set) var entries: [HTTPFields.Entry] = []
    private(set) var framing = FramingFields()

    init(startLine: StartLineRules?, within limits: HTTPLimits) {
        self.startLine = startLine
        self.limits = limits
        place = startLine.map { .startLine($0, emptyLines: 0) } ?? .fields
    }

    /// Forgets the section, keeping the rules.
    mutating func reset() {
        self = HeadScanner(startLine: startLine, within: limits)
    }

    /// Takes one step.
    ///
    /// - Parameter bytes: The section from its first byte, with whatever follows it.
    mutating func next(in bytes: Span<UInt8>) throws(HTTPParseError) -> Event {
        while let line = try nextLine(in: bytes) {
            switch place {
            case .startLine(let rules, let emptyLines) where line.isEmpty:
                guard emptyLines < rules.toleratedEmptyLines else { throw rules.malformed }
                place = .startLine(rules, emptyLines: emptyLines + 1)
            case .startLine:
                place = .fields
                return .startLine(line)
            case .fields where line.isEmpty:
                return .end(lineStart)
            case .fields:
                try takeField(line, bytes)
            }
        }
        return .needMoreBytes
    }

    /// The next line without its CRLF, or nil when its end has not come yet.
    private mutating func nextLine(in bytes: Span<UInt8>) throws(HTTPParseError) -> Range<Int>? {
        guard let lineFeed = bytes.firstIndex(of: ASCII.lineFeed, from: searched) else {
            try checkLimits(lineBytes: bytes.count - lineStart, sectionBytes: bytes.count)
            searched = bytes.count
            return nil
        }
        try checkLimits(lineBytes: lineFeed + 1 - lineStart, sectionBytes: lineFeed + 1)
        let end = lineFeed - 1
        guard end >= lineStart, bytes[end] == ASCII.carriageReturn else {
            if case .startLine(let rules, _) = place { throw rules.malformed }
            throw .malformedField
        }
        let line = lineStart..<end
        lineStart = lineFeed + 1
        searched = lineStart
        return line
    }

    private func checkLimits(lineBytes: Int, sectionBytes: Int) throws(HTTPParseError) {
        if case .startLine(let rules, _) = place, lineBytes > rules.limitBytes { throw rules.tooLong }
        guard sectionBytes <= limits.headBytes else { throw .headTooLarge(limitBytes: limits.headBytes) }
    }

    /// `field-line = field-name ":" OWS field-value OWS` (RFC 9112 §5).
    ///
    /// A folded line begins with a space and a space before the colon is not part of a token, so that both fall out of
    /// the check of the name.
    private mutating func takeField(_ line: Range<Int>, _ bytes: Span<UInt8>) throws(HTTPParseError) {
        guard entries.count < limits.fieldCount else { throw .tooManyFields(limit: limits.fieldCount) }
        var colon = line.lowerBound
        while colon < line.upperBound, ASCII.isToken(bytes[colon]) { colon += 1 }
        guard colon > line.lowerBound, colon < line.upperBound, bytes[colon] == ASCII.colon else {
            throw .malformedField
        }
        for index in colon + 1..<line.upperBound where !ASCII.isFieldValue(bytes[index]) { throw .malformedField }

        let nameRange = line.lowerBound..<colon
        let valueRange = bytes.trimmed(colon + 1..<line.upperBound)
        let name = KnownName(bytes, nameRange)
        if name != .other { try framing.take(name, valueRange, bytes) }
        if entries.capacity == 0 { entries.reserveCapacity(12) }
        entries.append(HTTPFields.Entry(name: name, nameRange: nameRange, valueRange: valueRange))
    }
}

/// What the fields of a head say about where its message ends and what becomes of the connection.
struct FramingFields: Sendable {
    var host: Range<Int>?
    var contentLength: Int?
    var isChunked = false
    var asksToClose = false
    var asksToKeepAlive = false
    var expectsContinue = false

    mutating func take(_ name: KnownName, _ value: Range<Int>, _ bytes: Span<UInt8>) throws(HTTPParseError) {
        switch name {
        case .host:
            guard host == nil, Authority.isValid(value, bytes) else { throw .invalidHost }
            host = value
        case .contentLength:
            guard contentLength == nil else { throw .invalidContentLength }
            contentLength = try Self.decimal(value, bytes)
        case .transferEncoding:
            guard !isChunked else { throw .ambiguousFraming }
            guard bytes.equalsIgnoringCase(value, "chunked") else { throw .unsupportedTransferCoding }
            isChunked = true
        case .connection:
            var closes = false
            var keepsAlive = false
            forEachListMember(of: value, in: bytes) { member, bytes in
                closes = closes || bytes.equalsIgnoringCase(member, "close")
                keepsAlive = keepsAlive || bytes.equalsIgnoringCase(member, "keep-alive")
            }
            asksToClose = asksToClose || closes
            asksToKeepAlive = asksToKeepAlive || keepsAlive
        case .expect:
            guard bytes.equalsIgnoringCase(value, "100-continue") else { throw .unsupportedExpectation }
            expectsContinue = true
        case .other, .te, .date, .trailer, .upgrade, .keepAlive, .proxyConnection:
            break
        }
    }

    /// Digits only: no sign, no list, no space.
    ///
    /// 18 of them cannot overflow, and no body is an exabyte long.
    private static func decimal(_ range: Range<Int>, _ bytes: Span<UInt8>) throws(HTTPParseError) -> Int {
        guard (1...18).contains(range.count) else { throw .invalidContentLength }
        var number = 0
        for index in range {
            guard ASCII.isDigit(bytes[index]) else { throw .invalidContentLength }
            number = number * 10 + Int(bytes[index] - ASCII.zero)
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
