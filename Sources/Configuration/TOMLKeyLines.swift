/// On which line each key of a TOML text stands.
///
/// TOMLKit tells positions for syntax errors only. This is no second parser: the text is known to be valid, and only
/// the names of tables and keys are looked at, whatever else there is skipped. On a text that is not valid it finds
/// fewer keys or wrong lines, and always comes to an end.
///
/// What stands in a list of tables is found by the path without its index, which gives the first, and by one with the
/// ``index(_:)`` of the table in its list.
struct TOMLKeyLines {
    private var lines: [[String]: Int] = [:]
    /// The index of the table that each list of tables has come to, by the path without indices.
    private var indices: [[String]: Int] = [:]

    /// Finds the keys and table headers of a text, also those in inline tables.
    init(of text: String) {
        var scanner = TOMLScanner(text)
        var table: [String] = []
        while let byte = scanner.skipBlankLines() {
            let line = scanner.line
            if byte == UInt8(ascii: "[") {
                scanner.take(UInt8(ascii: "["))
                let isListed = scanner.take(UInt8(ascii: "["))
                table = scanner.key()
                if isListed { indices[table] = indices[table].map { $0 + 1 } ?? 0 }
                note(table, line)
                scanner.skipLine()
            } else {
                keyValue(in: table, &scanner)
                scanner.skipLine()
            }
        }
    }

    /// The line, counted from 1, of a table or key given by the names that lead to it.
    subscript(path: [String]) -> Int? { lines[path] }

    /// How a path names the table of that index, from 0, in a list.
    static func index(_ index: Int) -> String { "[\(index + 1)]" }

    /// A path as people write it: `proxy[1].prefix`.
    static func title(_ path: [String]) -> String {
        path.reduce("") { $1.hasPrefix("[") ? $0 + $1 : $0.isEmpty ? $1 : "\($0).\($1)" }
    }

    /// Notes a path, and the tables that it is in if nothing mentioned them before.
    private mutating func note(_ path: [String], _ line: Int) {
        var indexed: [String] = []
        for count in stride(from: 1, through: path.count, by: 1) {
            let plain = Array(path.prefix(count))
            indexed.append(path[count - 1])
            for each in [plain, indexed] where lines[each] == nil { lines[each] = line }
            guard let index = indices[plain] else { continue }
            indexed.append(Self.index(index))
            if lines[indexed] == nil { lines[indexed] = line }
        }
    }

    private mutating func keyValue(in table: [String], _ scanner: inout TOMLScanner) {
        let path = table + scanner.key()
        note(path, scanner.line)
        scanner.skipSpaces()
        scanner.take(UInt8(ascii: "="))
        scanner.skipSpaces()
        value(at: path, &scanner)
    }

    /// Skips a value, noting the keys of inline tables.
    private mutating func value(at path: [String], _ scanner: inout TOMLScanner) {
        switch scanner.peek() {
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            _ = scanner.string()
        case UInt8(ascii: "["):
            indices[path] = nil
            items(until: UInt8(ascii: "]"), &scanner) { lines, scanner in
                lines.indices[path] = lines.indices[path].map { $0 + 1 } ?? 0
                // The line of a table in a list, too.
                if scanner.peek() == UInt8(ascii: "{") { lines.note(path, scanner.line) }
                lines.value(at: path, &scanner)
            }
        case UInt8(ascii: "{"):
            items(until: UInt8(ascii: "}"), &scanner) { lines, scanner in lines.keyValue(in: path, &scanner) }
        default:
            scanner.skipScalar()
        }
    }

    /// Goes through the items of a list or inline table, whose opening bracket is next.
    private mutating func items(
        until bracket: UInt8,
        _ scanner: inout TOMLScanner,
        item: (inout TOMLKeyLines, inout TOMLScanner) -> Void
    ) {
        scanner.advance()
        while let byte = scanner.skipBlankLines() {
            if byte == bracket { return scanner.advance() }
            let start = scanner.position
            if !scanner.take(UInt8(ascii: ",")) { item(&self, &scanner) }
            // Not valid TOML, then; without progress there would be no end.
            if scanner.position == start { scanner.advance() }
        }
    }
}

/// A place in a TOML text, and the tokens to step over from there.
struct TOMLScanner {
    private let bytes: [UInt8]
    private(set) var position = 0
    private(set) var line = 1

    init(_ text: String) { bytes = Array(text.utf8) }

    /// The next byte.
    func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    /// Steps over one byte, and counts the line that it ends.
    mutating func advance() {
        guard let byte = peek() else { return }
        if byte == UInt8(ascii: "\n") { line += 1 }
        position += 1
    }

    /// Steps over that byte if it is the next one.
    @discardableResult
    mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        advance()
        return true
    }

    mutating func skipSpaces() {
        while let byte = peek(), byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { advance() }
    }

    mutating func skipLine() {
        while let byte = peek(), byte != UInt8(ascii: "\n") { advance() }
    }

    /// Steps over white space, line ends and comments, and returns what follows.
    mutating func skipBlankLines() -> UInt8? {
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): advance()
            case UInt8(ascii: "#"): skipLine()
            default: return byte
            }
        }
        return nil
    }

    /// Steps over a number, a switch or a time: everything up to what can end a value.
    mutating func skipScalar() {
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: "#"), UInt8(ascii: "\n"): return
            default: advance()
            }
        }
    }

    /// Steps over a key, and returns its names: one for a bare or quoted key, several for a dotted one.
    mutating func key() -> [String] {
        var names: [String] = []
        repeat {
            skipSpaces()
            names.append(name())
            skipSpaces()
        } while take(UInt8(ascii: "."))
        return names
    }

    private mutating func name() -> String {
        if peek() == UInt8(ascii: "\"") || peek() == UInt8(ascii: "'") { return string() }
        let start = position
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                advance()
            default: return String(decoding: bytes[start..<position], as: UTF8.self)
            }
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// Steps over a string of any of the four kinds, and returns what is between its quotation marks.
    ///
    /// Escapes are stepped over but not decoded: no key of ours needs one.
    mutating func string() -> String {
        guard let quote = peek() else { return "" }
        let isMultiLine = position + 2 < bytes.count && bytes[position + 1] == quote && bytes[position + 2] == quote
        let marks = isMultiLine ? 3 : 1
        for _ in 0..<marks { advance() }
        let start = position
        while let byte = peek() {
            if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                advance()
            } else if byte == quote, bytes[position...].prefix(marks).allSatisfy({ $0 == quote }) {
                let end = position
                // Up to two quotation marks may stand before the three that close a multi-line string.
                while take(quote), isMultiLine {}
                return String(decoding: bytes[start..<end], as: UTF8.self)
            }
            advance()
        }
        return String(decoding: bytes[start...], as: UTF8.self)
    }
}
