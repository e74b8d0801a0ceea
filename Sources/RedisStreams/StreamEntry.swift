internal import Basics

/// The id of an entry of a stream, `milliseconds-number`; ids of one stream ascend.
public struct StreamPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// What the clock of Redis showed, or more.
    public let milliseconds: UInt64
    /// The place among the entries of one millisecond.
    public let number: UInt64

    /// Before every entry.
    public static let start = StreamPosition(milliseconds: 0, number: 0)

    /// Joins the parts.
    public init(milliseconds: UInt64, number: UInt64) {
        self.milliseconds = milliseconds
        self.number = number
    }

    /// Reads the text form; nil for anything else.
    public init?(_ text: String) { self.init(text.utf8.span) }

    /// Reads the text form; nil for anything else.
    public init?(_ text: Span<UInt8>) {
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
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            digits += 1
            let tens = (isSecond ? parts.1 : parts.0).multipliedReportingOverflow(by: 10)
            let sum = tens.partialValue.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            guard !tens.overflow, !sum.overflow else { return nil }
            if isSecond { parts.1 = sum.partialValue } else { parts.0 = sum.partialValue }
        }
        guard isSecond, digits > 0 else { return nil }
        self.init(milliseconds: parts.0, number: parts.1)
    }

    /// By both parts.
    public static func < (left: StreamPosition, right: StreamPosition) -> Bool {
        (left.milliseconds, left.number) < (right.milliseconds, right.number)
    }

    /// The text form.
    public var description: String { String(decoding: text, as: UTF8.self) }

    /// The text form; interpolation of strings would cost several times as much, for each entry.
    public var text: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(24)
        text.append(decimal: milliseconds)
        text.append(UInt8(ascii: "-"))
        text.append(decimal: number)
        return text
    }
}

/// An entry of a stream: names and values of any bytes.
public struct StreamEntry: Hashable, Sendable {
    /// A name and its value.
    public struct Field: Hashable, Sendable {
        /// The name, invalid UTF-8 repaired.
        public let name: String
        /// Any bytes, as they were added.
        public let value: [UInt8]

        /// Joins the parts.
        public init(_ name: String, _ value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// Its place.
    public let id: StreamPosition
    /// In the order in which they were added.
    public let fields: [Field]

    /// Joins the parts.
    init(id: StreamPosition, fields: [Field]) {
        self.id = id
        self.fields = fields
    }

    /// The value of the first field of a name.
    public subscript(name: String) -> [UInt8]? { fields.first { $0.name == name }?.value }
}

/// An entry that was given to a member of a group.
public struct StreamDelivery: Hashable, Sendable {
    /// The entry.
    public let entry: StreamEntry
    /// How often it was given to a member, this time included.
    public let number: Int
}

/// What became of an entry.
public enum StreamVerdict: Hashable, Sendable {
    /// Its effect has happened, now or before.
    case done
    /// It failed, by its own fault. In a few words, without secrets: they are kept with it when it is given up.
    case failed(String)
    /// The surroundings were not able to do it; that is not its fault, and costs no attempt.
    case unable
}

/// An entry that was given up.
public struct DeadStreamEntry: Hashable, Sendable {
    /// The entry.
    public let entry: StreamEntry
    /// How often it was tried.
    let attempts: Int
    /// What was wrong the last time.
    let error: String
}
