/// A market of our own making: every symbol has a price at every minute, always the same one.
///
/// Prices are whole cents, drawn from the symbol and the minute alone, so that a test can know what it will be told and
/// two simulators agree.
struct MarketModel {
    /// The symbols of the sample data, with the cents around which their prices move.
    private static let base: [String: Int] = [
        "AAPL": 22_500, "BRK-B": 45_000, "IBM": 21_500, "MSFT": 42_000, "SBUX": 9_800,
    ]

    /// The price in cents at `unixMinute`; nil for a symbol that this market does not trade.
    static func cents(of symbol: String, unixMinute: Int) -> Int? {
        guard let base = base[symbol] else { return nil }
        var noise = UInt64(truncatingIfNeeded: unixMinute)
        for character in symbol.utf8 { noise = (noise ^ UInt64(character)) &* 0x9e37_79b9_7f4a_7c15 }
        noise ^= noise >> 31
        // Within 2 % of the base.
        return base + Int(noise % UInt64(base / 25 + 1)) - base / 50
    }
}
