internal import Basics

/// Writes JSON (RFC 8259) by appending to one byte buffer.
///
///     var writer = JSONWriter()
///     writer.object { writer in
///         writer.member("symbol", "AAPL")
///         writer.key("price")
///         writer.number(text: "150.25")
///     }
///     // writer.bytes is {"symbol":"AAPL","price":150.25}
///
/// Commas are placed by the writer; pairing `begin` with `end` and giving every member a key is the caller's part,
/// which debug builds check by depth. The output has no insignificant white space. One writer may write many documents:
/// after ``removeAll()`` the buffer keeps its capacity, so a reused writer does not allocate.
public struct JSONWriter: Sendable {
    /// Everything written so far.
    public private(set) var bytes: [UInt8]

    /// True exactly when a value precedes the current position at this level.
    ///
    /// One flag serves every level: a level that opens begins without a value, and a level that closes is itself a
    /// value of the level around it.
    private var followsValue = false

    /// Objects and arrays that are open.
    private var depth = 0

    /// Starts with an empty buffer.
    ///
    /// - Parameter capacity: Bytes to set aside at once.
    public init(capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// Continues a buffer that somebody else began, for example with the head of a response.
    public init(appendingTo bytes: consuming [UInt8]) {
        self.bytes = bytes
    }

    /// Forgets what was written and keeps the memory.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        followsValue = false
        depth = 0
    }

    /// Hands the buffer over and starts with an empty one.
    public mutating func take() -> [UInt8] {
        assert(depth == 0, "an object or array is still open")
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        removeAll()
        return taken
    }
}

// MARK: - Objects and arrays

extension JSONWriter {
    /// Opens an object; ``endObject()`` closes it.
    public mutating func beginObject() { open(UInt8(ascii: "{")) }

    /// Closes the object that was opened last.
    public mutating func endObject() { close(UInt8(ascii: "}")) }

    /// Opens an array; ``endArray()`` closes it.
    public mutating func beginArray() { open(UInt8(ascii: "[")) }

    /// Closes the array that was opened last.
    public mutating func endArray() { close(UInt8(ascii: "]")) }

    /// Writes an object whose members `body` writes.
    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        beginObject()
        body(&self)
        endObject()
    }

    /// Writes an array whose elements `body` writes.
    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        beginArray()
        body(&self)
        endArray()
    }

    /// Writes the name of a member; its value is what is written next.
    public mutating func key(_ name: String) {
        appendQuoted(name.utf8.span, as: .name)
        followsValue = false
    }

    /// Writes the name of a member from UTF-8; invalid UTF-8 is repaired as in ``string(utf8:)-(Span<UInt8>)``.
    public mutating func key(utf8 name: Span<UInt8>) {
        string(utf8: name)
        bytes.append(UInt8(ascii: ":"))
        followsValue = false
    }

    private mutating func open(_ bracket: UInt8) {
        beginValue()
        bytes.append(bracket)
        followsValue = false
        depth += 1
    }

    private mutating func close(_ bracket: UInt8) {
        assert(depth > 0, "nothing is open")
        bytes.append(bracket)
        followsValue = true
        depth -= 1
    }

    /// Separates the value to come from the one before it.
    private mutating func beginValue() {
        if followsValue { bytes.append(UInt8(ascii: ",")) }
        followsValue = true
    }
}

// MARK: - Values

extension JSONWriter {
    /// Writes `null`.
    public mutating func null() {
        beginValue()
        bytes.append(contentsOf: "null".utf8)
    }

    /// Writes `true` or `false`.
    public mutating func bool(_ value: Bool) {
        beginValue()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    /// Writes a whole number.
    public mutating func integer(_ value: Int) {
        beginValue()
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        appendDigits(of: UInt64(value.magnitude))
    }

    /// Writes a whole number that may be beyond `Int.max`.
    public mutating func integer(_ value: UInt64) {
        beginValue()
        appendDigits(of: value)
    }

    /// Writes a number that is already text, digit for digit: this is how exact decimals pass through.
    ///
    /// Text that is not a JSON number, such as PostgreSQL's `NaN` and `Infinity`, is written as `null`, as
    /// ECMAScript's `JSON.stringify` does.
    public mutating func number(text: Span<UInt8>) {
        guard JSONNumber.isValid(text) else { return null() }
        beginValue()
        append(text)
    }

    /// Writes a number that is already text; see ``number(text:)-(Span<UInt8>)``.
    public mutating func number(text: String) {
        guard JSONNumber.isValid(text.utf8.span) else { return null() }
        beginValue()
        bytes.append(contentsOf: text.utf8)
    }

    /// Writes the shortest text that reads back as the same binary floating point number; `null` when it is not finite.
    public mutating func number(_ value: Double) {
        guard value.isFinite else { return null() }
        beginValue()
        bytes.append(contentsOf: value.description.utf8)
    }

    /// Writes a string.
    public mutating func string(_ text: String) {
        appendQuoted(text.utf8.span, as: .value)
        followsValue = true
    }

    /// Writes a string from UTF-8; what is not valid UTF-8 becomes U+FFFD, so that the output always is.
    public mutating func string(utf8 text: Span<UInt8>) {
        guard (try? UTF8Span(validating: text)) != nil else {
            let copy = text.indices.map { text[$0] }
            return string(String(decoding: copy, as: UTF8.self))
        }
        appendQuoted(text, as: .value)
        followsValue = true
    }

    /// Writes a string from UTF-8; see ``string(utf8:)-(Span<UInt8>)``.
    public mutating func string(utf8 text: [UInt8]) {
        string(utf8: text.span)
    }

    /// Writes one complete JSON value that is already encoded, byte for byte and unchecked.
    public mutating func raw(_ encoded: Span<UInt8>) {
        beginValue()
        append(encoded)
    }

    /// Writes one complete JSON value that is already encoded; see ``raw(_:)-(Span<UInt8>)``.
    public mutating func raw(_ encoded: [UInt8]) {
        beginValue()
        bytes.append(contentsOf: encoded)
    }

    /// Writes a value that was parsed or put together.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let flag): bool(flag)
        case .number(let text): number(text: text)
        case .string(let text): string(text)
        case .array(let elements):
            beginArray()
            for element in elements { self.value(element) }
            endArray()
        case .object(let object):
            beginObject()
            for member in object.members {
                key(member.name)
                self.value(member.value)
            }
            endObject()
        }
    }
}

// MARK: - Members

extension JSONWriter {
    /// Writes a member that is a string.
    public mutating func member(_ name: String, _ text: String) {
        key(name)
        string(text)
    }

    /// Writes a member that is a whole number.
    public mutating func member(_ name: String, _ value: Int) {
        key(name)
        integer(value)
    }

    /// Writes a member that is `true` or `false`.
    public mutating func member(_ name: String, _ flag: Bool) {
        key(name)
        bool(flag)
    }
}

// MARK: - Text

extension JSONWriter {
    private mutating func appendDigits(of value: UInt64) {
        // 20 digits hold the largest UInt64, 18446744073709551615.
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var first = 20
        var rest = value
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest != 0
        append(digits.span.extracting(first...))
    }

    /// What a quoted text is for.
    private enum Role {
        case name, value
    }

    /// Appends the text between quotation marks, with the comma before it and, for a name, the colon after it.
    ///
    /// Nearly no string needs an escape, so it is copied and searched in one pass; one that needs it is written again.
    private mutating func appendQuoted(_ text: Span<UInt8>, as role: Role) {
        let start = bytes.count
        let needsComma = followsValue
        var needsEscape = false
        bytes.append(addingCapacity: text.count + 4) { output in
            if needsComma { output.append(UInt8(ascii: ",")) }
            output.append(UInt8(ascii: "\""))
            for index in text.indices {
                let byte = text[index]
                if Self.needsEscape(byte) { needsEscape = true }
                output.append(byte)
            }
            output.append(UInt8(ascii: "\""))
            if role == .name { output.append(UInt8(ascii: ":")) }
        }
        guard needsEscape else { return }
        bytes.removeSubrange(start...)
        appendEscaped(text, as: role)
    }

    private mutating func appendEscaped(_ text: Span<UInt8>, as role: Role) {
        beginValue()
        bytes.append(UInt8(ascii: "\""))
        for index in text.indices {
            let byte = text[index]
            if Self.needsEscape(byte) { appendEscape(byte) } else { bytes.append(byte) }
        }
        bytes.append(UInt8(ascii: "\""))
        if role == .name { bytes.append(UInt8(ascii: ":")) }
    }

    private mutating func append(_ text: Span<UInt8>) {
        bytes.append(addingCapacity: text.count) { output in
            for index in text.indices { output.append(text[index]) }
        }
    }

    /// RFC 8259 §7: quotation mark, reverse solidus and the control characters.
    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func appendEscape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        default:
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(Hexadecimal.digit(byte >> 4))
            bytes.append(Hexadecimal.digit(byte))
        }
    }
}

extension JSONWriter: CustomStringConvertible {
    /// What was written, as text.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}
