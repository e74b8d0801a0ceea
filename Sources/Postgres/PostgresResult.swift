internal import CPostgres

/// The rows of one statement, in libpq's memory; nothing is copied until it is asked for.
///
/// Values are in PostgreSQL's text format: `DateStyle` ISO, `TimeZone` UTC, `bytea` in hex.
///
/// ```swift
/// for row in 0..<result.count {
///     json.append(day: result.text(row, 0), average: result.text(row, 1))
/// }
/// ```
@safe public final class PostgresResult: @unchecked Sendable {
    // Sendable unchecked, because the compiler cannot know that nobody changes a PGresult once it is handed out.
    private let result: OpaquePointer

    /// How many rows there are.
    public let count: Int
    /// How many columns each row has.
    public let columnCount: Int

    /// Takes over a result, to be cleared with this object.
    init(owning result: OpaquePointer) {
        unsafe self.result = result
        count = Int(unsafe PQntuples(result))
        columnCount = Int(unsafe PQnfields(result))
    }

    deinit { unsafe PQclear(result) }

    /// Whether there is no row.
    public var isEmpty: Bool { count == 0 }

    /// What the server calls the finished command, such as `INSERT 0 3` or `COMMIT`.
    var commandTag: String { unsafe String(cString: PQcmdStatus(result)) }

    /// How many rows the statement inserted, updated, deleted, selected or copied; 0 where that makes no sense.
    public var affectedRows: Int { Int(unsafe String(cString: PQcmdTuples(result))) ?? 0 }

    /// Whether a value is SQL `NULL`.
    public func isNull(_ row: Int, _ column: Int) -> Bool {
        checkBounds(row, column)
        return unsafe PQgetisnull(result, CInt(row), CInt(column)) != 0
    }

    /// A value as text; `nil` for `NULL`.
    public func text(_ row: Int, _ column: Int) -> String? {
        unsafe bytes(row, column).map { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// A value as a whole number; `nil` for `NULL`, and for what is not a whole number of 64 bits.
    public func int64(_ row: Int, _ column: Int) -> Int64? {
        withUTF8(row, column) { Int64(decimal: $0) } ?? nil
    }

    /// A `boolean`; `nil` for `NULL`, and for what is not one.
    public func bool(_ row: Int, _ column: Int) -> Bool? {
        guard let bytes = unsafe bytes(row, column), bytes.count == 1 else { return nil }
        switch unsafe bytes[0] {
        case UInt8(ascii: "t"): return true
        case UInt8(ascii: "f"): return false
        default: return nil
        }
    }

    /// Appends the text of a value to `buffer`, without a detour through `String`.
    ///
    /// - Returns: Whether there was one; false for `NULL`, of which nothing is appended.
    @discardableResult
    public func append(_ row: Int, _ column: Int, to buffer: inout [UInt8]) -> Bool {
        guard let bytes = unsafe bytes(row, column) else { return false }
        unsafe buffer.append(contentsOf: bytes)
        return true
    }

    /// Calls `body` with the text of a value; `nil` for `NULL`.
    public func withUTF8<Value>(_ row: Int, _ column: Int, _ body: (Span<UInt8>) -> Value) -> Value? {
        guard let bytes = unsafe bytes(row, column) else { return nil }
        return body(unsafe bytes.span)
    }

    /// Points into the result; not to be used after it.
    private func bytes(_ row: Int, _ column: Int) -> UnsafeBufferPointer<UInt8>? {
        guard !isNull(row, column), let value = unsafe PQgetvalue(result, CInt(row), CInt(column)) else { return nil }
        let count = Int(unsafe PQgetlength(result, CInt(row), CInt(column)))
        return unsafe UnsafeRawBufferPointer(start: value, count: count).assumingMemoryBound(to: UInt8.self)
    }

    /// Outside of these bounds libpq prints a notice and returns nonsense.
    private func checkBounds(_ row: Int, _ column: Int) {
        precondition(row >= 0 && row < count, "there is no row \(row)")
        precondition(column >= 0 && column < columnCount, "there is no column \(column)")
    }
}

extension Int64 {
    /// Reads an optional minus sign and digits, and nothing else.
    fileprivate init?(decimal digits: Span<UInt8>) {
        let isNegative = digits.count > 1 && digits[0] == UInt8(ascii: "-")
        guard !digits.isEmpty else { return nil }
        var value: Int64 = 0
        for index in (isNegative ? 1 : 0)..<digits.count {
            let byte = digits[index]
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let digit = Int64(byte - UInt8(ascii: "0"))
            let (tenfold, didOverflow) = value.multipliedReportingOverflow(by: 10)
            // Downwards, because the negative numbers reach one further.
            let (sum, didOverflowToo) = tenfold.subtractingReportingOverflow(digit)
            guard !didOverflow, !didOverflowToo else { return nil }
            value = sum
        }
        guard isNegative || value != .min else { return nil }
        self = isNegative ? value : -value
    }
}
