/// The first line of a message: a request line or a status line.
protocol StartLine: Sendable {
    static func rules(within limits: HTTPLimits) -> SectionRules.StartLine

    /// Reads the line in `line` of `bytes`, which has no line end.
    init(_ bytes: Span<UInt8>, _ line: Range<Int>, within limits: HTTPLimits) throws(HTTPParseError)
}

/// A complete head, before its parts are checked against each other.
struct HeadSection<Line: StartLine>: Sendable {
    let line: Line
    /// They own the bytes that the ranges in `line` and `framing` point into.
    let fields: HTTPFields
    let framing: FramingFields
}

/// Collects one head after the other from the bytes of a connection.
struct HeadReader<Line: StartLine>: Sendable {
    private let rules: SectionRules
    private var scanner = SectionScanner()
    private var line: Line?
    /// The head so far, when it did not come in one piece.
    private var partial: [UInt8] = []

    init(within limits: HTTPLimits) {
        rules = SectionRules(limits: limits, startLine: Line.rules(within: limits))
    }

    /// Whether no byte of the next head has come, but for empty lines that are tolerated before it.
    var isEmpty: Bool { partial.isEmpty }

    /// The memory that the head takes up of which a part has come.
    var heldBytes: Int { partial.capacity }

    /// Forgets a head that was begun.
    mutating func reset() {
        scanner = SectionScanner()
        line = nil
        partial = []
    }

    /// Takes one step: the head, if `unread` completes it, and how many leading bytes of `unread` are used up.
    mutating func step(_ unread: Span<UInt8>) throws(HTTPParseError) -> (head: HeadSection<Line>?, consumed: Int) {
        guard !unread.isEmpty else { return (nil, 0) }
        let kept = partial.count
        var bytes: [UInt8] = []
        let end: Int
        if kept == 0 {
            // The usual case: all of it is here. It is read in place and copied once.
            guard let found = try scan(unread) else {
                if !scanner.dropEmptyLines(unread.count) { partial.append(copying: unread) }
                return (nil, unread.count)
            }
            end = found
            bytes.append(copying: unread.extracting(0..<end))
        } else {
            // One byte past the limit is enough for the scanner to refuse the head.
            let taken = min(unread.count, rules.limits.headBytes + 1 - kept)
            // Moved out and back, so that the buffer has one owner while it changes.
            swap(&bytes, &partial)
            bytes.append(copying: unread.extracting(0..<taken))
            guard let found = try scan(bytes.span) else {
                if !scanner.dropEmptyLines(bytes.count) { partial = bytes }
                return (nil, taken)
            }
            end = found
            bytes.removeLast(bytes.count - end)
        }
        guard let line else { preconditionFailure("a head ends behind its first line") }
        let fields = HTTPFields(bytes: bytes, entries: scanner.entries)
        let section = HeadSection(line: line, fields: fields, framing: scanner.framing)
        reset()
        return (section, end - kept)
    }

    /// The offset behind the head, or nil if `bytes` do not hold all of it.
    private mutating func scan(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Int? {
        while true {
            switch try scanner.next(in: bytes, rules: rules) {
            case .needMoreBytes: return nil
            case .startLine(let range): line = try Line(bytes, range, within: rules.limits)
            case .end(let end): return end
            }
        }
    }
}
