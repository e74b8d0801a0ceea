internal import JSONWire

/// What a client asks for: an order's members that never change. Two requests are the same if these are.
struct OrderForm: Hashable, Sendable {
    /// How its price is found.
    enum Kind: String, CaseIterable {
        case market, limit
    }

    /// Which way it goes.
    enum Side: String, CaseIterable {
        case buy, sell
    }

    /// Decimals of a price, always written.
    static let priceDecimals = 2
    /// Digits before its point.
    static let priceDigits = 16
    /// The most that every JSON reader can hold: 2^53 − 1.
    static let quantityMax = 9_007_199_254_740_991

    let kind: Kind
    let side: Side
    /// 12 letters and digits of ASCII.
    let instrument: String
    /// Of a limit order, and of no other.
    let limitPrice: FixedDecimal?
    /// 1 to ``quantityMax``.
    let quantity: Int
    /// To the millisecond.
    let expiresAt: Timestamp?
}
