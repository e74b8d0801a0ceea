/// A list whose members may hold text in quotes (RFC 9110 §5.6.1). Read byte by byte: a list has as many members as a
/// client likes.
enum QuotedList {
    /// The members without the space around them, empty ones left out.
    static func members(of line: String) -> [Substring] {
        var members: [Substring] = []
        let text = line.utf8
        forEachMember(of: text.span) { range in
            let start = text.index(text.startIndex, offsetBy: range.lowerBound)
            members.append(line[start..<text.index(start, offsetBy: range.count)])
        }
        return members
    }

    /// Calls with where each member stands in `line`, without the space around it; not for empty ones.
    @inline(__always)
    static func forEachMember(of line: Span<UInt8>, _ body: (Range<Int>) -> Void) {
        var start = 0
        var isQuoted = false
        var isEscaped = false
        for index in line.indices {
            let mark = line[index]
            if isEscaped {
                isEscaped = false
            } else if isQuoted {
                isEscaped = mark == UInt8(ascii: "\\")
                if mark == UInt8(ascii: "\"") { isQuoted = false }
            } else if mark == UInt8(ascii: "\"") {
                isQuoted = true
            } else if mark == UInt8(ascii: ",") {
                give(start..<index)
                start = index + 1
            }
        }
        give(start..<line.count)

        func give(_ member: Range<Int>) {
            var (start, end) = (member.lowerBound, member.upperBound)
            while start < end, isSpace(line[start]) { start += 1 }
            while start < end, isSpace(line[end - 1]) { end -= 1 }
            if start < end { body(start..<end) }
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
}
