internal import Basics

extension JSONValue {
    /// Parses one JSON text.
    ///
    /// Strict where RFC 8259 leaves a choice: names in an object differ, the text is UTF-8 without a byte order mark,
    /// and every escaped surrogate has its other half.
    ///
    /// - Complexity: O(n); the work is bounded by `limits`.
    public init(parsing text: Span<UInt8>, limits: JSONLimits) throws(JSONParseError) {
        var parser = JSONParser(limits: limits)
        self = try parser.document(text)
    }

    /// Parses one JSON text.
    public init(parsing text: [UInt8], limits: JSONLimits) throws(JSONParseError) {
        try self.init(parsing: text.span, limits: limits)
    }

    /// Parses one JSON text.
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
        var parser = JSONParser(limits: limits, toleratesRepeats: true)
        value = try parser.document(text.span)
        repeatedNames = parser.repeatedNames
    }
}

/// A recursive-descent parser: one method for each rule of the grammar.
///
/// The text is an argument of each, because a `Span` cannot be stored.
struct JSONParser {
    private let limits: JSONLimits
    private let toleratesRepeats: Bool

    /// Bytes consumed.
    private var position = 0

    /// Unescaped text of the string at hand; kept between strings for its memory.
    private var scratch: [UInt8] = []

    /// Names of the outermost object's members with a repetition, or one inside; filled when `toleratesRepeats`.
    private(set) var repeatedNames: [String] = []
    /// Whether the outermost member at hand is there twice, or something in it is.
    private var hasRepeat = false

    init(limits: JSONLimits, toleratesRepeats: Bool = false) {
        self.limits = limits
        self.toleratesRepeats = toleratesRepeats
    }

    /// One value with nothing but white space around it.
    mutating func document(_ text: Span<UInt8>) throws(JSONParseError) -> JSONValue {
        guard text.count <= limits.bytes else {
            throw JSONParseError(.tooLong(limitBytes: limits.bytes), at: limits.bytes)
        }
        skipWhitespace(text)
        let value = try value(text, depth: 0)
        skipWhitespace(text)
        guard position == text.count else { throw JSONParseError(.trailingBytes, at: position) }
        return value
    }

    /// - Parameter depth: Objects and arrays around this value.
    private mutating func value(_ text: Span<UInt8>, depth: Int) throws(JSONParseError) -> JSONValue {
        switch try peek(text) {
        case UInt8(ascii: "{"): return .object(try object(text, depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(text, depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try string(text))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number(text))
        case UInt8(ascii: "t"):
            try literal("true", text)
            return .bool(true)
        case UInt8(ascii: "f"):
            try literal("false", text)
            return .bool(false)
        case UInt8(ascii: "n"):
            try literal("null", text)
            return .null
        case let byte: throw JSONParseError(.unexpectedByte(byte), at: position)
        }
    }

    private mutating func array(_ text: Span<UInt8>, depth: Int) throws(JSONParseError) -> [JSONValue] {
        try enter(depth)
        var elements: [JSONValue] = []
        skipWhitespace(text)
        if try peek(text) == UInt8(ascii: "]") {
            position += 1
            return elements
        }
        while true {
            elements.append(try value(text, depth: depth))
            skipWhitespace(text)
            guard try separator(text, orEnd: UInt8(ascii: "]")) else { return elements }
            skipWhitespace(text)
        }
    }

    private mutating func object(_ text: Span<UInt8>, depth: Int) throws(JSONParseError) -> JSONObject {
        try enter(depth)
        var members = MemberList()
        skipWhitespace(text)
        if try peek(text) == UInt8(ascii: "}") {
            position += 1
            return JSONObject()
        }
        while true {
            let nameOffset = position
            try expect(UInt8(ascii: "\""), text)
            let name = try string(text)
            skipWhitespace(text)
            try expect(UInt8(ascii: ":"), text)
            position += 1
            skipWhitespace(text)
            let value = try value(text, depth: depth)
            if !members.append(name, value) {
                guard toleratesRepeats else { throw JSONParseError(.duplicateName, at: nameOffset) }
                hasRepeat = true
            }
            if depth == 1, hasRepeat {
                hasRepeat = false
                if repeatedNames.count < JSONTolerantValue.repeatedNamesMax,
                    !repeatedNames.contains(where: { $0.hasSameBytes(as: name) })
                {
                    repeatedNames.append(name)
                }
            }
            skipWhitespace(text)
            guard try separator(text, orEnd: UInt8(ascii: "}")) else { return JSONObject(members.members) }
            skipWhitespace(text)
        }
    }

    /// Takes the bracket that opens an object or array, the `depth`th that is open.
    private mutating func enter(_ depth: Int) throws(JSONParseError) {
        guard depth <= limits.depth else { throw JSONParseError(.tooDeep(limit: limits.depth), at: position) }
        position += 1
    }
}

// MARK: - Tokens

extension JSONParser {
    /// The next byte.
    private func peek(_ text: Span<UInt8>) throws(JSONParseError) -> UInt8 {
        guard position < text.count else { throw JSONParseError(.endsEarly, at: position) }
        return text[position]
    }

    /// Checks the next byte and leaves it.
    private func expect(_ byte: UInt8, _ text: Span<UInt8>) throws(JSONParseError) {
        let found = try peek(text)
        guard found == byte else { throw JSONParseError(.unexpectedByte(found), at: position) }
    }

    /// Takes a comma, and returns true, or the bracket that closes the list, and returns false.
    private mutating func separator(_ text: Span<UInt8>, orEnd bracket: UInt8) throws(JSONParseError) -> Bool {
        let byte = try peek(text)
        guard byte == UInt8(ascii: ",") || byte == bracket else {
            throw JSONParseError(.unexpectedByte(byte), at: position)
        }
        position += 1
        return byte != bracket
    }

    private mutating func skipWhitespace(_ text: Span<UInt8>) {
        while position < text.count {
            switch text[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func literal(_ word: String, _ text: Span<UInt8>) throws(JSONParseError) {
        for byte in word.utf8 {
            try expect(byte, text)
            position += 1
        }
    }

    private mutating func number(_ text: Span<UInt8>) throws(JSONParseError) -> String {
        let start = position
        do {
            position = try JSONNumber.end(in: text, from: start)
        } catch {
            throw JSONParseError(error.offset < text.count ? .malformedNumber : .endsEarly, at: error.offset)
        }
        return try decode(text.extracting(start..<position), at: start)
    }
}

// MARK: - Strings

extension JSONParser {
    /// The string whose opening quotation mark is next.
    private mutating func string(_ text: Span<UInt8>) throws(JSONParseError) -> String {
        position += 1
        let start = position
        // Nearly every string has no escape: it is decoded straight from the text.
        guard try skipPlain(text) == UInt8(ascii: "\\") else {
            defer { position += 1 }
            return try decode(text.extracting(start..<position), at: start)
        }
        scratch.removeAll(keepingCapacity: true)
        var runStart = start
        while true {
            let stop = try skipPlain(text)
            for index in runStart..<position { scratch.append(text[index]) }
            position += 1
            if stop == UInt8(ascii: "\"") { break }
            try escape(text)
            runStart = position
        }
        guard let utf8 = try? UTF8Span(validating: scratch.span) else {
            throw JSONParseError(.invalidUTF8, at: start)
        }
        return String(copying: utf8)
    }

    /// Stops before the next quotation mark or backslash, and returns which.
    private mutating func skipPlain(_ text: Span<UInt8>) throws(JSONParseError) -> UInt8 {
        while position < text.count {
            let byte = text[position]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return byte }
            guard byte >= 0x20 else { throw JSONParseError(.controlCharacter, at: position) }
            position += 1
        }
        throw JSONParseError(.endsEarly, at: position)
    }

    /// Appends to `scratch` what the escape after a backslash stands for.
    private mutating func escape(_ text: Span<UInt8>) throws(JSONParseError) {
        let offset = position - 1
        let letter = try peek(text)
        position += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scratch.append(letter)
        case UInt8(ascii: "b"): scratch.append(0x08)
        case UInt8(ascii: "f"): scratch.append(0x0C)
        case UInt8(ascii: "n"): scratch.append(0x0A)
        case UInt8(ascii: "r"): scratch.append(0x0D)
        case UInt8(ascii: "t"): scratch.append(0x09)
        case UInt8(ascii: "u"):
            let scalar = try escapedScalar(text, at: offset)
            scratch.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        default: throw JSONParseError(.unknownEscape, at: offset)
        }
    }

    /// The character of `\uXXXX`, or of the two that make a surrogate pair.
    private mutating func escapedScalar(_ text: Span<UInt8>, at offset: Int) throws(JSONParseError) -> Unicode.Scalar {
        let unit = try hexUnit(text)
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard UTF16.isLeadSurrogate(unit), position + 1 < text.count,
            text[position] == UInt8(ascii: "\\"), text[position + 1] == UInt8(ascii: "u")
        else { throw JSONParseError(.loneSurrogate, at: offset) }
        position += 2
        let trail = try hexUnit(text)
        guard UTF16.isTrailSurrogate(trail),
            let scalar = Unicode.Scalar(0x10000 + (UInt32(unit & 0x3FF) << 10 | UInt32(trail & 0x3FF)))
        else { throw JSONParseError(.loneSurrogate, at: offset) }
        return scalar
    }

    private mutating func hexUnit(_ text: Span<UInt8>) throws(JSONParseError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            let byte = try peek(text)
            guard let digit = Hexadecimal.value(byte) else {
                throw JSONParseError(.unknownEscape, at: position)
            }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }

    private func decode(_ bytes: Span<UInt8>, at start: Int) throws(JSONParseError) -> String {
        do {
            return String(copying: try UTF8Span(validating: bytes))
        } catch {
            throw JSONParseError(.invalidUTF8, at: start + error.byteOffsets.lowerBound)
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
