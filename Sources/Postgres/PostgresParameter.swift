/// A value for a `$n` of a statement.
///
/// All but ``bytea(_:)`` and ``binary(_:)`` travel in PostgreSQL's text format, so the server gives them the type that
/// the statement asks for: a date is `.text("2025-01-06")`, a numeric `.text("150.25")`.
public enum PostgresParameter: Hashable, Sendable {
    /// SQL `NULL`.
    case null
    /// Any type, in its text form; without NUL.
    case text(String)
    /// Any type, in its text form as UTF-8; without NUL. Saves the way through `String`.
    case utf8([UInt8])
    /// A whole number.
    case int64(Int64)
    /// The bytes of a `bytea`, and only of a `bytea`: they travel in binary format.
    case bytea([UInt8])
    /// An array of just the type that the statement asks for.
    case binary(BinaryArray)

    /// An array in its text form, `{"a","b"}`, for a parameter such as `$1::date[]`.
    public static func array(_ elements: some Sequence<String>) -> PostgresParameter {
        arrayWithNulls(elements.lazy.map { Optional($0) })
    }

    /// A `date[]`, as days since 2000-01-01.
    public static func dates(_ days: some Sequence<Int32>) -> PostgresParameter {
        var array = BinaryArray(of: .date)
        for day in days { array.append(Int(day)) }
        return .binary(array)
    }

    /// Whether PostgreSQL can store all of them.
    static func areEncodable(_ parameters: [PostgresParameter]) -> Bool {
        precondition(parameters.count <= UInt16.max, "the protocol counts parameters in 16 bits; send an array")
        return parameters.allSatisfy(\.isEncodable)
    }

    /// Whether PostgreSQL can store it: its text form has no room for a NUL.
    var isEncodable: Bool {
        switch self {
        case .null, .int64, .bytea, .binary: true
        case .text(let text): !text.utf8.contains(0)
        case .utf8(let bytes): !bytes.contains(0)
        }
    }
}

extension PostgresParameter: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByNilLiteral {
    /// Makes a ``text(_:)``.
    public init(stringLiteral text: String) { self = .text(text) }
    /// Makes an ``int64(_:)``.
    public init(integerLiteral number: Int64) { self = .int64(number) }
    /// Makes a ``null``.
    public init(nilLiteral: ()) { self = .null }
}
