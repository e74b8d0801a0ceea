/// The bounds of a head or a trailer section, and how its first line is to be read.
struct SectionRules: Sendable {
    /// What holds for the line before the fields.
    struct StartLine: Sendable {
        let malformed: HTTPParseError
        /// How many empty lines in front of it are passed over.
        let toleratedEmptyLines: Int
        /// Longest line with its line end, in bytes, and the error that tells of a longer one.
        let limitBytes: Int
        let tooLong: HTTPParseError
    }

    let limits: HTTPLimits
    /// nil in a trailer section.
    let startLine: StartLine?
}

/// Reads a head or a trailer section line by line, and remembers where it is when the bytes run out.
///
/// It is given the whole section from its first byte each time, and searches no byte twice. Errors come at the first
/// offending line, so they do not depend on how the network cut the bytes.
struct SectionScanner: Sendable {
    enum Event: Equatable {
        case needMoreBytes
        /// The start line, without its line end. The owner reads it and calls ``next(in:rules:)`` again.
        case startLine(Range<Int>)
        /// The section ends before this offset; `entries` and `framing` are complete.
        case end(Int)
    }

    private var hasStartLine = false
    private var emptyLines = 0
    private var lineStart = 0
    /// No line ends in `lineStart..<searched`.
    private var searched = 0
    /// Whether a control character was found there that may stand nowhere in a line.
    private var hasStrayControl = false

    private(set) var entries: [HTTPFields.Entry] = []
    private(set) var framing = FramingFields()

    init() {}

    /// Takes one step.
    ///
    /// - Parameter bytes: The section from its first byte, with whatever follows it.
    mutating func next(in bytes: Span<UInt8>, rules: borrowing SectionRules) throws(HTTPParseError) -> Event {
        if !hasStartLine, let startLine = rules.startLine {
            while let line = try nextLine(in: bytes, rules: rules) {
                if !line.isEmpty {
                    hasStartLine = true
                    return .startLine(line)
                }
                guard emptyLines < startLine.toleratedEmptyLines else { throw startLine.malformed }
                emptyLines += 1
            }
            return .needMoreBytes
        }
        while let line = try nextLine(in: bytes, rules: rules) {
            if line.isEmpty { return .end(lineStart) }
            guard entries.count < rules.limits.fieldCount else {
                throw .tooManyFields(limit: rules.limits.fieldCount)
            }
            try takeField(line, bytes)
        }
        return .needMoreBytes
    }

    /// Forgets what came, if that is nothing but empty lines that are tolerated before the start line. That there were
    /// some is remembered.
    ///
    /// - Parameter byteCount: How many bytes came.
    mutating func dropEmptyLines(_ byteCount: Int) -> Bool {
        guard !hasStartLine, emptyLines > 0, lineStart == byteCount else { return false }
        lineStart = 0
        searched = 0
        return true
    }

    /// The next line without its CRLF, or nil when its end has not come yet.
    private mutating func nextLine(
        in bytes: Span<UInt8>,
        rules: borrowing SectionRules
    ) throws(HTTPParseError) -> Range<Int>? {
        guard let lineFeed = findLineFeed(in: bytes) else {
            try checkLimits(end: bytes.count, rules: rules)
            return nil
        }
        try checkLimits(end: lineFeed + 1, rules: rules)
        let end = lineFeed - 1
        guard end >= lineStart, bytes[end] == ASCII.carriageReturn else {
            if !hasStartLine, let startLine = rules.startLine { throw startLine.malformed }
            throw .malformedField
        }
        let line = lineStart..<end
        lineStart = lineFeed + 1
        searched = lineStart
        return line
    }

    /// Looks at each byte once, for the end of the line and for what may not stand in it.
    @inline(__always)
    private mutating func findLineFeed(in bytes: Span<UInt8>) -> Int? {
        if searched == lineStart { hasStrayControl = false }
        while let control = bytes.firstControl(from: searched) {
            switch bytes[control] {
            case ASCII.lineFeed: return control
            case ASCII.tab: break
            case ASCII.carriageReturn:
                guard control + 1 < bytes.count else {
                    searched = control
                    return nil
                }
                if bytes[control + 1] == ASCII.lineFeed { return control + 1 }
                hasStrayControl = true
            default: hasStrayControl = true
            }
            searched = control + 1
        }
        searched = bytes.count
        return nil
    }

    @inline(__always)
    private func checkLimits(end: Int, rules: borrowing SectionRules) throws(HTTPParseError) {
        if !hasStartLine, let startLine = rules.startLine, end - lineStart > startLine.limitBytes {
            throw startLine.tooLong
        }
        guard end <= rules.limits.headBytes else { throw .headTooLarge(limitBytes: rules.limits.headBytes) }
    }

    /// `field-line = field-name ":" OWS field-value OWS` (RFC 9112 §5).
    ///
    /// A folded line begins with a space and a space before the colon is not part of a token, so that both fall out of
    /// the check of the name.
    private mutating func takeField(_ line: Range<Int>, _ bytes: Span<UInt8>) throws(HTTPParseError) {
        let field = bytes.extracting(line)
        let colon = field.tokenEnd
        guard colon > 0, colon < field.count, field[colon] == ASCII.colon, !hasStrayControl else {
            throw .malformedField
        }

        let entry = HTTPFields.Entry(in: bytes, line: line, colon: line.lowerBound + colon)
        if entry.name != .other { try framing.take(entry.name, entry.valueRange.bounds, bytes) }
        if entries.isEmpty { entries.reserveCapacity(12) }
        entries.append(entry)
    }
}
