/// The fields of a header section: names and values in order, repeated ones kept apart, as they came.
///
/// Names are compared without regard to case. The fields live in one byte buffer with an index of offsets; a `String`
/// is made only for what is asked for.
///
///     var fields: HTTPFields = ["Content-Type": "application/json"]
///     fields.append("Vary", "Accept")
///     fields["content-type"]  // "application/json"
public struct HTTPFields: Sendable {
    /// Where one field lies in `bytes`, and which of the names that this module acts on it has.
    struct Entry: Sendable {
        let nameRange: ByteRange
        let valueRange: ByteRange
        let name: KnownName
        /// Whether it lies there as a line that can be copied: with `: ` before the value, and the line end behind it.
        let isLine: Bool

        /// - Parameter line: A field line, without the line end that follows it, with its colon at `colon`. The value
        ///   may have space around it, which is left out.
        @inline(__always)
        init(in bytes: Span<UInt8>, line: Range<Int>, colon: Int) {
            let value = bytes.trimmed(colon + 1..<line.upperBound)
            nameRange = ByteRange(line.lowerBound..<colon)
            valueRange = ByteRange(value)
            name = KnownName(bytes, line.lowerBound..<colon)
            isLine =
                value.upperBound == line.upperBound && value.lowerBound == colon + 2
                && bytes[colon + 1] == ASCII.space
        }

        /// From the name to behind the line end.
        var line: Range<Int> {
            @inline(__always) get { nameRange.bounds.lowerBound..<valueRange.bounds.upperBound + 2 }
        }
    }

    /// The fields, each as a line, and around them whatever else the parser kept (start line, lines without a field).
    ///
    /// Only appended to: a removed field stays here, out of the index, so that offsets never move.
    var bytes: [UInt8]
    var entries: [Entry]

    /// No fields.
    public init() {
        bytes = []
        entries = []
    }

    /// No fields, with room for `count` fields and `bytes` bytes of names and values.
    public init(reservingCapacity count: Int, bytes byteCount: Int) {
        self.init()
        bytes.reserveCapacity(byteCount)
        entries.reserveCapacity(count)
    }

    init(bytes: [UInt8], entries: [Entry]) {
        self.bytes = bytes
        self.entries = entries
    }

    /// How many field lines there are.
    public var count: Int { entries.count }

    /// Whether there is no field.
    public var isEmpty: Bool { entries.isEmpty }
}

// MARK: - Lookup

extension HTTPFields {
    /// The first value under `name`, without the space around it; nil if there is none.
    ///
    /// Setting it replaces every value under `name` by one at the end; setting nil removes them.
    ///
    /// Bytes that are not UTF-8 are read as U+FFFD.
    /// - Complexity: O(number of fields).
    public subscript(name: String) -> String? {
        get { firstEntry(name).map { bytes.span.text($0.valueRange) } }
        set {
            remove(name)
            if let newValue { append(name, newValue) }
        }
    }

    /// Every value under `name`, in order.
    public func values(_ name: String) -> [String] {
        entries.filter { matches($0, name) }.map { bytes.span.text($0.valueRange) }
    }

    /// Calls with the bytes of every value under `name`, in order.
    public func forEachValue(_ name: String, _ body: (Span<UInt8>) -> Void) {
        for entry in entries where matches(entry, name) { body(bytes.span.extracting(entry.valueRange.bounds)) }
    }

    /// The bytes of the first value under `name`.
    public func valueBytes(_ name: String) -> ArraySlice<UInt8>? {
        firstEntry(name).map { bytes[$0.valueRange.bounds] }
    }

    /// The bytes of the value under `name`, if there is exactly one.
    public func onlyValueBytes(_ name: String) -> ArraySlice<UInt8>? {
        var found: Entry?
        for entry in entries where matches(entry, name) {
            guard found == nil else { return nil }
            found = entry
        }
        return found.map { bytes[$0.valueRange.bounds] }
    }

    /// The value under `name`, if there is exactly one.
    public func onlyValue(_ name: String) -> String? {
        onlyValueBytes(name).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether there is a field `name`.
    public func contains(_ name: String) -> Bool { firstEntry(name) != nil }

    /// Whether a list under `name` has `token` as a member: `Connection: keep-alive, close` has `close`.
    ///
    /// Compared without regard to case; parameters of members are not understood.
    public func list(_ name: String, contains token: String) -> Bool {
        var found = false
        for entry in entries where matches(entry, name) {
            forEachListMember(of: entry.valueRange.bounds, in: bytes.span) { member, bytes in
                found = found || bytes.equalsIgnoringCase(member, token)
            }
        }
        return found
    }

    private func firstEntry(_ name: String) -> Entry? {
        for entry in entries where matches(entry, name) { return entry }
        return nil
    }

    private func matches(_ entry: Entry, _ name: String) -> Bool {
        bytes.span.equalsIgnoringCase(entry.nameRange.bounds, name)
    }
}

// MARK: - Change

extension HTTPFields {
    /// Adds a field behind the others.
    ///
    /// - Parameters:
    ///   - name: A token (RFC 9110 §5.6.2); traps on anything else, because names are written by programmers.
    ///   - value: Any text. A control in it, which could end the field and start another one, becomes a space
    ///     (RFC 9110 §5.5).
    public mutating func append(_ name: String, _ value: String) {
        appendField { bytes in
            bytes.append(utf8: name)
        } value: { bytes in
            bytes.append(utf8: value)
        }
    }

    /// Adds a field whose value is given as bytes; otherwise as ``append(_:_:)``.
    public mutating func append(_ name: String, bytes value: some Collection<UInt8>) {
        appendField { bytes in
            bytes.append(utf8: name)
        } value: { bytes in
            bytes.append(contentsOf: value)
        }
    }

    /// Adds the fields of `other` behind the others, byte for byte.
    public mutating func append(contentsOf other: HTTPFields) {
        for entry in other.entries {
            appendField { bytes in
                bytes.append(contentsOf: other.bytes[entry.nameRange.bounds])
            } value: { bytes in
                bytes.append(contentsOf: other.bytes[entry.valueRange.bounds])
            }
        }
    }

    /// Removes every field `name`.
    public mutating func remove(_ name: String) {
        guard contains(name) else { return }
        entries = entries.filter { !matches($0, name) }
    }

    private mutating func appendField(name: (inout [UInt8]) -> Void, value: (inout [UInt8]) -> Void) {
        let start = bytes.count
        name(&bytes)
        let colon = bytes.count
        precondition(colon > start, "a field has a name")
        for index in start..<colon {
            precondition(ASCII.isToken(bytes[index]), "a field name is a token")
        }
        bytes.append(ASCII.colon)
        bytes.append(ASCII.space)
        value(&bytes)
        let end = bytes.count
        if !bytes.span.extracting(colon + 2..<end).isFieldValue {
            for index in colon + 2..<end where !ASCII.isFieldValue(bytes[index]) {
                bytes[index] = ASCII.space
            }
        }
        bytes.append(ASCII.carriageReturn)
        bytes.append(ASCII.lineFeed)
        entries.append(Entry(in: bytes.span, line: start..<end, colon: colon))
    }
}

// MARK: - Writing

extension HTTPFields {
    /// Appends the lines of the fields that are wanted, those that lie together in one piece.
    @inline(__always)
    func appendLines(to head: inout [UInt8], where isWanted: (Entry) -> Bool) {
        let bytes = bytes.span
        var piece = 0..<0
        for entry in entries where isWanted(entry) {
            let line = entry.line
            if entry.isLine, line.lowerBound == piece.upperBound {
                piece = piece.lowerBound..<line.upperBound
                continue
            }
            head.append(copying: bytes.extracting(piece))
            if entry.isLine {
                piece = line
            } else {
                piece = 0..<0
                head.append(copying: bytes.extracting(entry.nameRange.bounds))
                head.append(ASCII.colon)
                head.append(ASCII.space)
                head.append(copying: bytes.extracting(entry.valueRange.bounds))
                head.append(ASCII.carriageReturn)
                head.append(ASCII.lineFeed)
            }
        }
        head.append(copying: bytes.extracting(piece))
    }
}

// MARK: - Conformances

extension HTTPFields: ExpressibleByDictionaryLiteral {
    /// Fields in the order written; a name may be repeated.
    public init(dictionaryLiteral elements: (String, String)...) {
        self.init(reservingCapacity: elements.count, bytes: elements.count * 48)
        for (name, value) in elements { append(name, value) }
    }
}

extension HTTPFields: Sequence {
    /// One field, as text.
    public struct Field: Hashable, Sendable {
        /// The name as it came.
        public let name: String
        /// The value without the space around it.
        public let value: String
    }

    /// Walks the fields in order.
    public struct Iterator: IteratorProtocol {
        private let fields: HTTPFields
        private var position = 0

        init(_ fields: HTTPFields) { self.fields = fields }

        /// The next field.
        public mutating func next() -> Field? {
            guard position < fields.entries.count else { return nil }
            defer { position += 1 }
            let entry = fields.entries[position]
            let bytes = fields.bytes.span
            return Field(name: bytes.text(entry.nameRange), value: bytes.text(entry.valueRange))
        }
    }

    /// Fields in order, repeated ones apart.
    public func makeIterator() -> Iterator { Iterator(self) }

    /// The number of fields.
    public var underestimatedCount: Int { count }
}

extension HTTPFields: Equatable {
    /// The same fields in the same order; the case of names does not matter.
    public static func == (left: HTTPFields, right: HTTPFields) -> Bool {
        left.count == right.count
            && zip(left, right).allSatisfy { pair in
                pair.0.value == pair.1.value && pair.0.name.lowercased() == pair.1.name.lowercased()
            }
    }
}

extension HTTPFields: CustomStringConvertible {
    /// The fields as lines.
    ///
    /// They may hold secrets: not for logs.
    public var description: String {
        map { "\($0.name): \($0.value)" }.joined(separator: "\n")
    }
}
