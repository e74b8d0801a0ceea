/// The name of what is traded, such as `AAPL`, `BRK.B`, `^GSPC` or `BINANCE:BTCUSDT`: 1 to 32 characters of
/// `A-Z a-z 0-9 . ^ = - _ : &`.
///
/// It is kept as given; `aapl` is another symbol than `AAPL`. The table `prices` checks the same.
public struct Symbol: Hashable, Sendable, CustomStringConvertible {
    /// The most characters, which are bytes too.
    public static let lengthMax = 32

    /// The symbol itself.
    public let text: String

    /// Takes a symbol if it is one.
    public init?(_ text: String) {
        guard Self.isValid(text.utf8.span) else { return nil }
        self.text = text
    }

    /// Takes the bytes of a symbol if they are one.
    init?(_ bytes: Span<UInt8>) {
        guard Self.isValid(bytes), let text = try? UTF8Span(validating: bytes) else { return nil }
        self.text = String(copying: text)
    }

    static func isValid(_ bytes: Span<UInt8>) -> Bool {
        guard (1...lengthMax).contains(bytes.count) else { return false }
        for index in bytes.indices where !isAllowed(bytes[index]) { return false }
        return true
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "="), UInt8(ascii: "-"): true
        case UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "&"): true
        default: false
        }
    }

    /// The symbol itself.
    public var description: String { text }
}
