/// A JSON value (RFC 8259 §3).
///
/// Numbers keep their text, so that a decimal is as exact here as it was on the wire. Two values are equal when they
/// are written the same way: `1` and `1.0` differ, and so do objects whose members stand in another order.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// A number as its text, for example `-0.50` or `1e3`.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// A whole number.
    public static func integer(_ value: some FixedWidthInteger) -> JSONValue { .number(String(value)) }
}

extension JSONValue {
    /// True for `null`.
    public var isNull: Bool { self == .null }

    /// The flag, when this is `true` or `false`.
    public var bool: Bool? {
        if case .bool(let flag) = self { flag } else { nil }
    }

    /// The text, when this is a string.
    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The text of the number as it was written, when this is a number.
    public var numberText: String? {
        if case .number(let text) = self { text } else { nil }
    }

    /// The number, when it is written as a whole number (no fraction, no exponent) and fits.
    public var integer: Int? {
        if case .number(let text) = self { Int(text) } else { nil }
    }

    /// The nearest binary floating point number, when this is a number: not for prices.
    public var double: Double? {
        if case .number(let text) = self { Double(text) } else { nil }
    }

    /// The elements, when this is an array.
    public var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The object, when this is one.
    public var object: JSONObject? {
        if case .object(let object) = self { object } else { nil }
    }

    /// The member of this object with that name; `nil` when there is none or this is not an object.
    public subscript(name: String) -> JSONValue? { object?[name] }

    /// This value, encoded without insignificant white space.
    public var encoded: [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.take()
    }
}

extension JSONValue: CustomStringConvertible {
    /// This value, encoded.
    public var description: String { String(decoding: encoded, as: UTF8.self) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }

    /// A whole number.
    public init(integerLiteral value: Int) { self = .integer(value) }

    /// A flag.
    public init(booleanLiteral value: Bool) { self = .bool(value) }

    /// An array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

    /// An object, its members in the order of the literal; names must not repeat.
    public init(dictionaryLiteral members: (String, JSONValue)...) {
        self = .object(JSONObject(members.map { JSONObject.Member(name: $0.0, value: $0.1) }))
    }
}

/// The members of a JSON object, in the order in which they were written.
///
/// Names are compared byte by byte, as RFC 8259 §8.3 wants it; `==` on `String` would take `é` and `e` with a combining
/// accent for the same name. A parsed object never holds a name twice.
public struct JSONObject: Hashable, Sendable {
    /// One name and its value.
    public struct Member: Hashable, Sendable {
        /// The name, unescaped.
        public let name: String
        /// The value.
        public let value: JSONValue

        /// Joins a name and a value.
        public init(name: String, value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// The members, in order.
    public private(set) var members: [Member]

    /// - Parameter members: Members whose names differ.
    public init(_ members: [Member] = []) {
        self.members = members
    }

    /// The value of the member with that name, searched from the front: meant for objects of a few members.
    public subscript(name: String) -> JSONValue? {
        members.first { $0.name.hasSameBytes(as: name) }?.value
    }
}

extension String {
    /// Equality of the encoded text rather than of the characters it shows.
    func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.span.isEqual(to: other.utf8.span)
    }
}
