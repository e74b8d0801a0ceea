internal import Basics

/// Reads one JSON text value by value, as ``JSONWriter`` writes one: what is asked for is read, what is not is passed
/// over, and no tree is made of either.
///
///     var reader = try JSONReader(text, limits: JSONLimits(bytes: 4096))
///     var members = JSONMembers(names)
///     try reader.beginObject(text)
///     while let name = try members.next(&reader, text) {
///         switch name {
///         case .symbol: symbol = try reader.string(text)
///         case .quantity: quantity = try reader.integer(text)
///         }
///     }
///     try reader.end(text)
///
/// The text is an argument of each method, because a `Span` cannot be stored; it is the same one each time. A method
/// throws when what comes next is not what it reads, and the reader is of no use afterwards.
///
/// Strict where RFC 8259 leaves a choice: the text has no byte order mark, every escaped surrogate has its other half,
/// and texts that are returned are UTF-8. Whether names repeat is noticed by ``JSONMembers`` and by ``JSONValue``.
public struct JSONReader: Sendable {
    private let limits: JSONLimits

    /// Bytes consumed. Between two calls a value or a name begins here, or the text ends, or what closes or separates
    /// values comes, with white space before it.
    private(set) var position = 0

    /// Objects and arrays that are open.
    private(set) var depth = 0

    /// Whether nothing of the object or array at hand was read. One flag serves every level, as in ``JSONWriter``.
    private var isFirst = false

    /// Unescaped text of the string at hand; kept between strings for its memory.
    private var scratch: [UInt8] = []

    /// Goes to the value that the text is.
    public init(_ text: Span<UInt8>, limits: JSONLimits) throws(JSONParseError) {
        guard text.count <= limits.bytes else {
            throw JSONParseError(.tooLong(limitBytes: limits.bytes), at: limits.bytes)
        }
        self.limits = limits
        skipWhitespace(text)
    }

    /// Checks that nothing follows the value but white space.
    public mutating func end(_ text: Span<UInt8>) throws(JSONParseError) {
        skipWhitespace(text)
        guard position == text.count else { throw JSONParseError(.trailingBytes, at: position) }
    }
}

// MARK: - Objects and arrays

extension JSONReader {
    /// Opens the object that is next.
    public mutating func beginObject(_ text: Span<UInt8>) throws(JSONParseError) {
        try open(UInt8(ascii: "{"), text)
    }

    /// Opens the array that is next.
    public mutating func beginArray(_ text: Span<UInt8>) throws(JSONParseError) {
        try open(UInt8(ascii: "["), text)
    }

    /// Goes to the next element of the array that was opened last; false at its end, which is consumed.
    public mutating func nextElement(_ text: Span<UInt8>) throws(JSONParseError) -> Bool {
        try next(text, orEnd: UInt8(ascii: "]"))
    }

    /// Goes to the name of the next member of the object that was opened last; false at its end, which is consumed.
    mutating func nextMember(_ text: Span<UInt8>) throws(JSONParseError) -> Bool {
        try next(text, orEnd: UInt8(ascii: "}"))
    }

    /// The name of the member at hand; its value is next.
    mutating func name(_ text: Span<UInt8>) throws(JSONParseError) -> String {
        let name = try string(text)
        try skipColon(text)
        return name
    }

    /// Which of `names` the member at hand has, nil for none; its value is next.
    ///
    /// - Parameter guess: The one to look at first.
    mutating func name(
        _ text: Span<UInt8>,
        among names: JSONNameTable,
        guess: Int
    ) throws(JSONParseError) -> Int? {
        if let end = names.end(of: guess, in: text, at: position) {
            position = end
            try skipColon(text)
            return guess
        }
        let index = try string(text) { names.index(of: $0) }
        try skipColon(text)
        return index
    }

    private mutating func open(_ bracket: UInt8, _ text: Span<UInt8>) throws(JSONParseError) {
        try expect(bracket, text)
        guard depth < limits.depth else { throw JSONParseError(.tooDeep(limit: limits.depth), at: position) }
        position += 1
        depth += 1
        isFirst = true
    }

    private mutating func next(_ text: Span<UInt8>, orEnd bracket: UInt8) throws(JSONParseError) -> Bool {
        skipWhitespace(text)
        let byte = try peek(text)
        if byte == bracket {
            position += 1
            depth -= 1
            isFirst = false
            return false
        }
        if isFirst {
            isFirst = false
            return true
        }
        guard byte == UInt8(ascii: ",") else { throw JSONParseError(.unexpectedByte(byte), at: position) }
        position += 1
        skipWhitespace(text)
        return true
    }

    private mutating func skipColon(_ text: Span<UInt8>) throws(JSONParseError) {
        skipWhitespace(text)
        try expect(UInt8(ascii: ":"), text)
        position += 1
        skipWhitespace(text)
    }
}

// MARK: - Values

extension JSONReader {
    /// Reads a string, unescaped.
    public mutating func string(_ text: Span<UInt8>) throws(JSONParseError) -> String {
        let start = position + 1
        guard let extent = try stringExtent(text) else {
            guard let utf8 = try? UTF8Span(validating: scratch.span) else {
                throw JSONParseError(.invalidUTF8, at: start)
            }
            return String(copying: utf8)
        }
        return try decode(extent, text)
    }

    /// Reads a string by its bytes, unescaped, which need not be UTF-8.
    public mutating func string<Result>(
        _ text: Span<UInt8>,
        _ body: (Span<UInt8>) -> Result
    ) throws(JSONParseError) -> Result {
        if let extent = try stringExtent(text) { body(text.extracting(extent)) } else { body(scratch.span) }
    }

    /// Reads a number that is written as a whole one, without fraction and exponent, and fits.
    public mutating func integer(_ text: Span<UInt8>) throws(JSONParseError) -> Int {
        let extent = try numberExtent(text)
        guard let integer = JSONNumber.integer(text.extracting(extent)) else {
            throw JSONParseError(.notAnInteger, at: extent.lowerBound)
        }
        return integer
    }

    /// Reads a number as its text.
    mutating func numberText(_ text: Span<UInt8>) throws(JSONParseError) -> String {
        try decode(try numberExtent(text), text)
    }

    /// Reads `true` or `false`.
    public mutating func bool(_ text: Span<UInt8>) throws(JSONParseError) -> Bool {
        let isTrue = try peek(text) == UInt8(ascii: "t")
        try literal(isTrue ? "true" : "false", text)
        return isTrue
    }

    mutating func null(_ text: Span<UInt8>) throws(JSONParseError) {
        try literal("null", text)
    }

    /// Reads any value as it is written, to be passed on or to be parsed later; what its names are is not looked at.
    public mutating func raw(_ text: Span<UInt8>) throws(JSONParseError) -> String {
        let start = position
        try skip(text)
        return try decode(start..<position, text)
    }

    /// Passes over any value. It is JSON, but its strings need not be UTF-8, and its names may repeat.
    public mutating func skip(_ text: Span<UInt8>) throws(JSONParseError) {
        switch try peek(text) {
        case UInt8(ascii: "{"):
            try beginObject(text)
            while try nextMember(text) {
                _ = try stringExtent(text)
                try skipColon(text)
                try skip(text)
            }
        case UInt8(ascii: "["):
            try beginArray(text)
            while try nextElement(text) { try skip(text) }
        case UInt8(ascii: "\""): _ = try stringExtent(text)
        case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try bool(text)
        case UInt8(ascii: "n"): try null(text)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): _ = try numberExtent(text)
        case let byte: throw JSONParseError(.unexpectedByte(byte), at: position)
        }
    }
}

// MARK: - Tokens

extension JSONReader {
    /// The next byte.
    @inline(__always)
    func peek(_ text: Span<UInt8>) throws(JSONParseError) -> UInt8 {
        guard position < text.count else { throw JSONParseError(.endsEarly, at: position) }
        return text[position]
    }

    /// Checks the next byte and leaves it.
    @inline(__always)
    private func expect(_ byte: UInt8, _ text: Span<UInt8>) throws(JSONParseError) {
        let found = try peek(text)
        guard found == byte else { throw JSONParseError(.unexpectedByte(found), at: position) }
    }

    @inline(__always)
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

    private mutating func numberExtent(_ text: Span<UInt8>) throws(JSONParseError) -> Range<Int> {
        let start = position
        do {
            position = try JSONNumber.end(in: text, from: start)
        } catch {
            throw JSONParseError(error.offset < text.count ? .malformedNumber : .endsEarly, at: error.offset)
        }
        return start..<position
    }

    private func decode(_ extent: Range<Int>, _ text: Span<UInt8>) throws(JSONParseError) -> String {
        do {
            return String(copying: try UTF8Span(validating: text.extracting(extent)))
        } catch {
            throw JSONParseError(.invalidUTF8, at: extent.lowerBound + error.byteOffsets.lowerBound)
        }
    }
}

// MARK: - Strings

extension JSONReader {
    /// Where the bytes of the next string are, which is consumed; nil when it has escapes, and is in `scratch`.
    private mutating func stringExtent(_ text: Span<UInt8>) throws(JSONParseError) -> Range<Int>? {
        try expect(UInt8(ascii: "\""), text)
        position += 1
        let start = position
        // Nearly every string has no escape: it is taken straight from the text.
        guard try skipPlain(text) == UInt8(ascii: "\\") else {
            position += 1
            return start..<(position - 1)
        }
        scratch.removeAll(keepingCapacity: true)
        var runStart = start
        while true {
            let stop = try skipPlain(text)
            for index in runStart..<position { scratch.append(text[index]) }
            position += 1
            if stop == UInt8(ascii: "\"") { return nil }
            try escape(text)
            runStart = position
        }
    }

    /// Stops before the next quotation mark or backslash, and returns which.
    private mutating func skipPlain(_ text: Span<UInt8>) throws(JSONParseError) -> UInt8 {
        var index = position
        while text.count - index >= 8 {
            let eight = text.eight(at: index)
            let stops =
                eight.equal(to: UInt8(ascii: "\"")) | eight.equal(to: UInt8(ascii: "\\")) | eight.less(than: 0x20)
            if stops != 0 {
                index += stops.trailingZeroBitCount / 8
                break
            }
            index += 8
        }
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                position = index
                return byte
            }
            guard byte >= 0x20 else { throw JSONParseError(.controlCharacter, at: index) }
            index += 1
        }
        throw JSONParseError(.endsEarly, at: index)
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
}
