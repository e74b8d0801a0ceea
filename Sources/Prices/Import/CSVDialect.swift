/// How a CSV file separates its fields and ends its lines, read from its first line.
///
/// Spreadsheets write `;` where the comma is the decimal sign, databases like the TAB; old Excel for Mac ends lines
/// with CR alone; and Excel puts `sep=;` before the header.
struct CSVDialect: Equatable {
    /// What stands between two fields.
    var separator = UInt8(ascii: ",")
    /// Whether a CR without an LF ends a line too; otherwise it is a character like any other.
    var endsLinesWithCarriageReturn = false

    /// Whether a line ends with this byte, outside of quotes.
    func endsLine(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\n") || endsLinesWithCarriageReturn && byte == UInt8(ascii: "\r")
    }

    /// What may separate fields; of equally frequent ones the first.
    private static let separators = Array(",;\t|".utf8)

    /// Where a file begins, and how.
    struct Opening: Equatable {
        var dialect: CSVDialect
        /// Where the first record begins, behind a byte order mark and `sep=`.
        var start: Int
        /// The number of its line.
        var line: Int
    }

    /// Looks at the beginning of a file.
    ///
    /// - Returns: Nil if more bytes are needed to tell: the first line that is not blank is not there as a whole.
    static func opening(of file: [UInt8], limitBytes: Int, isEnd: Bool) -> Opening? {
        guard file.count >= 3 || isEnd else { return nil }
        var start = file.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        var line = 1
        // A second round after `sep=`, whose line says everything but where the header begins.
        var told: UInt8?
        while true {
            guard let first = FirstLine(file, from: start, limitBytes: limitBytes, isEnd: isEnd) else { return nil }
            if told == nil, let separator = first.declaredSeparator(file) {
                told = separator
                line += first.lines
                start = first.end
                continue
            }
            let dialect = CSVDialect(
                separator: told ?? first.mostFrequent(of: separators),
                endsLinesWithCarriageReturn: first.endsWithCarriageReturn
            )
            return Opening(dialect: dialect, start: start, line: line)
        }
    }

    /// The first line that is not blank.
    private struct FirstLine {
        /// Its bytes, without its end.
        private(set) var content: Range<Int>
        /// Where the next line begins.
        private(set) var end: Int
        /// Its lines, with the blank ones before it and those inside of quotes.
        private(set) var lines = 0
        private(set) var endsWithCarriageReturn = false
        private var counts: [UInt8: Int] = [:]

        init?(_ file: [UInt8], from start: Int, limitBytes: Int, isEnd: Bool) {
            content = start..<start
            end = start
            var isQuoted = false
            var isBlank = true
            var index = start
            let limit = min(file.count, start + limitBytes)
            while index < limit {
                let byte = file[index]
                switch byte {
                case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                    let isReturn = byte == UInt8(ascii: "\r")
                    guard !isReturn || index + 1 < file.count || isEnd else { return nil }
                    let isPair = isReturn && index + 1 < file.count && file[index + 1] == UInt8(ascii: "\n")
                    lines += 1
                    end = index + (isPair ? 2 : 1)
                    if !isQuoted {
                        endsWithCarriageReturn = isReturn && !isPair && end < file.count
                        if !isBlank {
                            content = content.lowerBound..<index
                            return
                        }
                        content = end..<end
                    }
                    index = end
                    continue
                case UInt8(ascii: "\""):
                    let opens = index == content.lowerBound || separators.contains(file[index - 1])
                    let reopens = index > content.lowerBound && file[index - 1] == byte
                    if isQuoted || opens || reopens { isQuoted.toggle() }
                    isBlank = false
                case _ where isQuoted: break
                case _ where separators.contains(byte):
                    counts[byte, default: 0] += 1
                    if byte != UInt8(ascii: "\t") { isBlank = false }
                default:
                    if byte != UInt8(ascii: " ") { isBlank = false }
                }
                index += 1
            }
            // An open quote, or a line without an end: no reason to wait for more than a record may have.
            guard isEnd || index < file.count || index >= start + limitBytes else { return nil }
            content = content.lowerBound..<index
            end = index
        }

        /// The `;` of `sep=;`, which may be quoted.
        func declaredSeparator(_ file: [UInt8]) -> UInt8? {
            var line = file[content]
            if line.count == 7, line.first == UInt8(ascii: "\""), line.last == line.first {
                line = line.dropFirst().dropLast()
            }
            guard line.count == 5, let separator = line.last, separator != UInt8(ascii: "\"") else { return nil }
            return String(decoding: line.prefix(4), as: UTF8.self).lowercased() == "sep=" ? separator : nil
        }

        func mostFrequent(of separators: [UInt8]) -> UInt8 {
            var best = separators[0]
            for separator in separators where counts[separator, default: 0] > counts[best, default: 0] {
                best = separator
            }
            return best
        }
    }
}
