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
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let milliseconds = UInt64(parts[0]), let number = UInt64(parts[1]) else { return nil }
        self.init(milliseconds: milliseconds, number: number)
    }

    /// By both parts.
    public static func < (left: StreamPosition, right: StreamPosition) -> Bool {
        (left.milliseconds, left.number) < (right.milliseconds, right.number)
    }

    /// The text form.
    public var description: String { "\(milliseconds)-\(number)" }
}

/// An entry of a stream: names and values of any bytes.
public struct StreamEntry: Hashable, Sendable {
    /// A name and its value.
    public struct Field: Hashable, Sendable {
        /// The name, invalid UTF-8 repaired.
        public let name: String
        /// The value.
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
    public init(id: StreamPosition, fields: [Field]) {
        self.id = id
        self.fields = fields
    }

    /// The value of the first field of a name.
    public subscript(name: String) -> [UInt8]? { fields.first { $0.name == name }?.value }
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
    public let attempts: Int
    /// What was wrong the last time.
    public let error: String
}
