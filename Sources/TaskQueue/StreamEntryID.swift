/// The id of a stream entry, `milliseconds-sequence`; ids of one stream ascend.
struct StreamEntryID: Hashable, Comparable, Sendable, CustomStringConvertible {
    let milliseconds: UInt64
    let sequence: UInt64

    /// Before every entry.
    static let zero = StreamEntryID(milliseconds: 0, sequence: 0)

    init(milliseconds: UInt64, sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// Reads the text form; nil for anything else.
    init?(_ text: Span<UInt8>) {
        var parts: (UInt64, UInt64) = (0, 0)
        var digits = 0
        var isSecond = false
        for index in text.indices {
            let byte = text[index]
            if byte == UInt8(ascii: "-"), !isSecond, digits > 0 {
                isSecond = true
                digits = 0
                continue
            }
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), digits < 19 else { return nil }
            digits += 1
            let digit = UInt64(byte - UInt8(ascii: "0"))
            if isSecond { parts.1 = parts.1 * 10 + digit } else { parts.0 = parts.0 * 10 + digit }
        }
        guard isSecond, digits > 0 else { return nil }
        self.init(milliseconds: parts.0, sequence: parts.1)
    }

    init?(_ text: String) { self.init(text.utf8.span) }

    static func < (left: StreamEntryID, right: StreamEntryID) -> Bool {
        (left.milliseconds, left.sequence) < (right.milliseconds, right.sequence)
    }

    var description: String { String(decoding: text, as: UTF8.self) }

    /// The text form; interpolation of strings would cost several times as much, for each task.
    var text: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(24)
        text.append(decimal: milliseconds)
        text.append(UInt8(ascii: "-"))
        text.append(decimal: sequence)
        return text
    }
}
