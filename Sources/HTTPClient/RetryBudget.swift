/// How many requests may be sent once more: a fifth of those that were sent, and some in reserve, so that an upstream
/// in trouble does not get twice the work.
struct RetryBudget {
    private static let share = 0.2

    /// Enough for an upstream that restarts while every connection carries a request.
    private let most: Double
    private var balance: Double

    /// - Parameter connections: Most that are open at once.
    init(connections: Int) {
        most = Double(max(100, connections))
        balance = most
    }

    mutating func requestSent() { if balance < most { balance += Self.share } }

    /// Whether one more is in it; it is taken out then.
    mutating func take() -> Bool {
        guard balance >= 1 else { return false }
        balance -= 1
        return true
    }
}
