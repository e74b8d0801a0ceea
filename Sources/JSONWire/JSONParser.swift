extension JSONValue {
    /// Parses one JSON text.
    ///
    /// As strict as ``JSONReader``, and names in an object differ.
    ///
    /// - Complexity: O(n); the work is bounded by `limits`.
    public init(parsing text: Span<UInt8>, limits: JSONLimits) throws(JSONParseError) {
        var parser = JSONParser(try JSONReader(text, limits: limits))
        self = try parser.document(text)
    }

    /// Parses one JSON text in UTF-8.
    public init(parsing text: [UInt8], limits: JSONLimits) throws(JSONParseError) {
        try self.init(parsing: text.span, limits: limits)
    }

    /// Parses one JSON text that is text already.
    public init(parsing text: String, limits: JSONLimits) throws(JSONParseError) {
        try self.init(parsing: text.utf8.span, limits: limits)
    }
}

/// A parsed value of somebody else, who may have named a member twice, and is to be told of everything that is wrong.
public struct JSONTolerantValue: Sendable {
    /// The value; of members of the same name, the first.
    public let value: JSONValue
    /// The members of the outermost object that are there twice, or that hold an object in which one is; each once, and
    /// at most ``repeatedNamesMax``.
    public let repeatedNames: [String]

    /// Most names that are noted: enough for a person, and few enough to be searched.
    public static let repeatedNamesMax = 64

    /// Parses one JSON text as strictly as ``JSONValue`` does, but for the names.
    public init(parsing text: [UInt8], limits: JSONLimits) throws(JSONParseError) {
        var parser = JSONParser(try JSONReader(text.span, limits: limits), toleratesRepeats: true)
        value = try parser.document(text.span)
        repeatedNames = parser.repeatedNames
    }
}

/// Makes a tree of a text: one method for each rule of the grammar that has parts.
struct JSONParser {
    private var reader: JSONReader
    private let toleratesRepeats: Bool

    /// Names of the outermost object's members with a repetition, or one inside; filled when `toleratesRepeats`.
    private(set) var repeatedNames: [String] = []
    /// Whether the outermost member at hand is there twice, or something in it is.
    private var hasRepeat = false

    init(_ reader: JSONReader, toleratesRepeats: Bool = false) {
        self.reader = reader
        self.toleratesRepeats = toleratesRepeats
    }

    /// One value with nothing but white space around it.
    mutating func document(_ text: Span<UInt8>) throws(JSONParseError) -> JSONValue {
        let value = try value(text)
        try reader.end(text)
        return value
    }

    private mutating func value(_ text: Span<UInt8>) throws(JSONParseError) -> JSONValue {
        switch try reader.peek(text) {
        case UInt8(ascii: "{"): return .object(try object(text))
        case UInt8(ascii: "["): return .array(try array(text))
        case UInt8(ascii: "\""): return .string(try reader.string(text))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try reader.numberText(text))
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool(try reader.bool(text))
        case UInt8(ascii: "n"):
            try reader.null(text)
            return .null
        case let byte: throw JSONParseError(.unexpectedByte(byte), at: reader.position)
        }
    }

    private mutating func array(_ text: Span<UInt8>) throws(JSONParseError) -> [JSONValue] {
        var elements: [JSONValue] = []
        try reader.beginArray(text)
        while try reader.nextElement(text) { elements.append(try value(text)) }
        return elements
    }

    private mutating func object(_ text: Span<UInt8>) throws(JSONParseError) -> JSONObject {
        var members = MemberList()
        try reader.beginObject(text)
        while try reader.nextMember(text) {
            let nameOffset = reader.position
            let name = try reader.name(text)
            if !members.append(name, try value(text)) {
                guard toleratesRepeats else { throw JSONParseError(.duplicateName, at: nameOffset) }
                hasRepeat = true
            }
            if reader.depth == 1, hasRepeat { noteRepeat(name) }
        }
        return JSONObject(members.members)
    }

    /// Notes the outermost member at hand, once.
    private mutating func noteRepeat(_ name: String) {
        hasRepeat = false
        if repeatedNames.count < JSONTolerantValue.repeatedNamesMax,
            !repeatedNames.contains(where: { $0.hasSameBytes(as: name) })
        {
            repeatedNames.append(name)
        }
    }
}

/// The members of the object at hand, each name once.
private struct MemberList {
    /// Up to here a search from the front beats hashing; past it a hostile object would cost a quadratic search.
    private static let searchLimit = 16

    private(set) var members: [JSONObject.Member] = []
    private var names: Set<ExactName> = []

    /// - Returns: `false` when there is already a member of that name.
    mutating func append(_ name: String, _ value: JSONValue) -> Bool {
        if members.count < Self.searchLimit {
            guard !members.contains(where: { $0.name.hasSameBytes(as: name) }) else { return false }
        } else {
            if names.isEmpty { names = Set(members.map { ExactName(text: $0.name) }) }
            guard names.insert(ExactName(text: name)).inserted else { return false }
        }
        members.append(JSONObject.Member(name: name, value: value))
        return true
    }

    /// A name that is equal to another only when their bytes are.
    private struct ExactName: Hashable {
        let text: String

        static func == (one: Self, other: Self) -> Bool { one.text.hasSameBytes(as: other.text) }

        func hash(into hasher: inout Hasher) {
            for byte in text.utf8 { hasher.combine(byte) }
        }
    }
}
