/// A market of our own making: every symbol has a price at every second, always the same one.
///
/// Prices are whole cents, drawn from the symbol and the second alone, so that a test can know what it will be told and
/// two simulators agree.
enum MarketModel {
    /// The symbols of the sample data, with the cents around which their prices move.
    private static let base: [String: Int] = [
        "AAPL": 22_500, "BRK-B": 45_000, "IBM": 21_500, "MSFT": 42_000, "SBUX": 9_800,
    ]

    /// A symbol with one of these in its name is not traded; every other is.
    private static let strangers = ["UNKNOWN", "INVALID", "NOSUCH", "NOTREAL", "XXXX"]

    /// The price at a second, with two decimals; nil for a symbol that this market does not trade.
    static func price(of symbol: String, unixSecond: Int) -> String? {
        let name = symbol.uppercased()
        guard !strangers.contains(where: { name.contains($0) }) else { return nil }
        let own = mix(0, symbol)
        let base = base[symbol] ?? 1000 + Int(own % 50_000)
        // A slow wave of a minute, and a little noise upon it: within 2 % of the base.
        let phase = (unixSecond + Int(own % 60)) % 60
        let wave = abs(phase - 30) - 15
        let noise = Int(mix(UInt64(truncatingIfNeeded: unixSecond), symbol) % 11) - 5
        return text(cents: base + base * (wave * 4 + noise) / 4000)
    }

    /// Cents as a number with two decimals.
    static func text(cents: Int) -> String {
        let fraction = cents % 100
        return "\(cents / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }

    private static func mix(_ seed: UInt64, _ symbol: String) -> UInt64 {
        var noise = seed
        for character in symbol.utf8 { noise = (noise ^ UInt64(character)) &* 0x9e37_79b9_7f4a_7c15 }
        return noise ^ noise >> 31
    }
}
