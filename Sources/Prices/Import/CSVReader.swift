/// One record of a CSV file: its fields, unquoted, in one buffer.
struct CSVRecord {
    /// The number of the line on which it begins; the first is 1.
    fileprivate(set) var line = 0
    /// The bytes of all fields, one after another.
    fileprivate(set) var bytes: [UInt8] = []
    /// Where each field lies in ``bytes``.
    fileprivate(set) var fields: [Range<Int>] = []

    /// The bytes of a field, without the spaces and tabs around it.
    func trimmed(_ field: Int) -> Range<Int> {
        var range = fields[field]
        while let first = range.first, bytes[first].isBlank { range = first + 1..<range.upperBound }
        while let last = range.last, bytes[last].isBlank { range = range.lowerBound..<last }
        return range
    }

    /// Whether nothing stands on the line.
    fileprivate var isBlank: Bool { fields.count <= 1 && bytes.allSatisfy(\.isBlank) }

    fileprivate mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
    }

    fileprivate mutating func endField() {
        fields.append((fields.last?.upperBound ?? 0)..<bytes.count)
    }

    /// Ends the field that the line ends with, and drops the CR of a CRLF.
    fileprivate mutating func endLastField(isQuoted: Bool) {
        if !isQuoted, bytes.count > fields.last?.upperBound ?? 0, bytes.last == .carriageReturn { bytes.removeLast() }
        endField()
    }
}

/// Why a record is not CSV.
enum CSVFault: Error, Hashable {
    case quoteInsideField
    case textAfterQuote
    case unterminatedQuote
    case recordTooLong(limitBytes: Int)
}

/// Splits CSV (RFC 4180) into records, in whatever pieces the file comes.
///
///     fieldStart ──"──▶ quoted ──"──▶ afterQuote ──"──▶ quoted           "" inside quotes is one quote
///     fieldStart, unquoted, afterQuote ──,──▶ fieldStart                 ──LF or end──▶ record
///
/// The separator and the end of lines are what the first line says (``CSVDialect``); LF and CRLF are always one. Blank
/// lines are passed over, and so is a byte order mark. After a fault it goes on with the line behind the one on which
/// the record began, so that a stray quote spoils one line and not the rest.
struct CSVReader: ~Copyable {
    enum Step: Equatable {
        /// ``record`` holds the next record.
        case record
        /// The record that begins on this line is skipped.
        case fault(line: Int, CSVFault)
        case needMoreBytes
        case end
    }

    /// The newest record; the buffers serve all of them in turn.
    private(set) var record = CSVRecord()

    private let recordBytesMax: Int
    private var unread: [UInt8] = []
    /// Where the next record begins in ``unread``.
    private var start = 0
    /// The line on which it begins.
    private var line = 1
    /// Nil until the first line is there.
    private var dialect: CSVDialect?
    private var isFinished = false
    /// Whether the rest of a line that is too long is still to be thrown away.
    private var isSkippingLine = false

    /// - Parameter recordBytesMax: The longest record; what an open quote may swallow, too.
    init(recordBytesMax: Int = 64 * 1024) {
        self.recordBytesMax = recordBytesMax
    }

    /// Takes the next piece of the file.
    mutating func append(_ bytes: [UInt8]) {
        precondition(!isFinished)
        unread.removeFirst(start)
        start = 0
        unread += bytes
    }

    /// The file ends here.
    mutating func finish() { isFinished = true }

    /// Takes one step.
    mutating func next() -> Step {
        while true {
            guard let dialect = dialect ?? open() else { return .needMoreBytes }
            if isSkippingLine { skipLine(dialect) }
            guard start < unread.count else { return isFinished ? .end : .needMoreBytes }
            do {
                let limit = recordBytesMax
                let end = try record.read(unread, dialect, from: start, limitBytes: limit, isEnd: isFinished)
                guard let end else { return .needMoreBytes }
                record.line = line
                line += end.lines
                start = end.index
                if !record.isBlank { return .record }
            } catch {
                let faulty = line
                line += 1
                isSkippingLine = true
                return .fault(line: faulty, error)
            }
        }
    }

    private mutating func open() -> CSVDialect? {
        guard let opening = CSVDialect.opening(of: unread, limitBytes: recordBytesMax, isEnd: isFinished) else {
            return nil
        }
        (start, line) = (opening.start, opening.line)
        dialect = opening.dialect
        return dialect
    }

    /// Throws the rest of the line away, as far as it is there.
    private mutating func skipLine(_ dialect: CSVDialect) {
        while start < unread.count, isSkippingLine {
            isSkippingLine = !dialect.endsLine(unread[start])
            start += 1
        }
    }
}

extension CSVRecord {
    private enum Place { case fieldStart, unquoted, quoted, afterQuote }

    /// Reads the record that begins at `start`.
    ///
    /// - Parameter isEnd: Whether the file ends with these bytes.
    /// - Returns: Where it ends and how many lines it has; nil if its end is not there yet. Then it is read anew with
    ///   the next piece, which is cheap as long as a piece holds many records.
    fileprivate mutating func read(
        _ unread: [UInt8],
        _ dialect: CSVDialect,
        from start: Int,
        limitBytes: Int,
        isEnd: Bool
    ) throws(CSVFault) -> (index: Int, lines: Int)? {
        removeAll()
        let file = unread.span
        let limit = min(file.count, start + limitBytes)
        var place = Place.fieldStart
        var lines = 1
        var index = start
        while index < limit {
            let byte = file[index]
            index += 1
            switch (place, byte) {
            case (.quoted, .quote): place = .afterQuote
            case (.quoted, _):
                if dialect.endsLine(byte) { lines += 1 }
                bytes.append(byte)
            case (_, dialect.separator):
                endField()
                place = .fieldStart
            case (_, _) where dialect.endsLine(byte):
                endLastField(isQuoted: place == .afterQuote)
                return (index, lines)
            case (.fieldStart, .quote): place = .quoted
            case (.unquoted, .quote): throw .quoteInsideField
            case (.fieldStart, _), (.unquoted, _):
                bytes.append(byte)
                place = .unquoted
            case (.afterQuote, .quote):
                bytes.append(byte)
                place = .quoted
            case (.afterQuote, .carriageReturn) where index == file.count || file[index] == .lineFeed: continue
            case (.afterQuote, _): throw .textAfterQuote
            }
        }
        guard index == file.count, index < start + limitBytes else {
            throw .recordTooLong(limitBytes: limitBytes)
        }
        guard isEnd else { return nil }
        guard place != .quoted else { throw .unterminatedQuote }
        endLastField(isQuoted: place == .afterQuote)
        return (index, lines)
    }
}

extension UInt8 {
    fileprivate static let quote = UInt8(ascii: "\"")
    fileprivate static let lineFeed = UInt8(ascii: "\n")
    fileprivate static let carriageReturn = UInt8(ascii: "\r")
    fileprivate var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
}
