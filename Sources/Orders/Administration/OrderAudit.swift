internal import JSONWire

/// What was promised of orders, and can be seen to be broken.
package enum OrderPromise: String, CaseIterable, Sendable {
    /// In the exchange's ledger more than once.
    case placedTwice = "placed_twice"
    /// In the ledger, and not among the orders.
    case unknownOrder = "unknown_order"
    /// In the ledger, though it was cancelled, has expired, was refused or given up.
    case endedAndPlaced = "ended_and_placed"
    /// Said to be placed, and not in the ledger.
    case notPlaced = "not_placed"
    /// Another quantity is executed at the exchange than here, though all of its reports were taken in.
    case executedOtherwise = "executed_otherwise"
    /// Pending, without the message that has it placed.
    case forgotten
    /// A message to place what is no order, or one that has ended.
    case strayMessage = "stray_message"
    /// Another row than its events add up to.
    case differs
    /// Versions of its events with a gap.
    case gap
    /// A client was told that it was taken, and it is not there.
    case lost
    /// A client got two orders for one key.
    case keyTwice = "key_twice"
    /// A client was told that it was cancelled or had expired, and it is neither.
    case notEnded = "not_ended"

    /// For a person.
    package var words: String {
        switch self {
        case .placedTwice: "in the ledger more than once"
        case .unknownOrder: "in the ledger, and not among the orders"
        case .endedAndPlaced: "in the ledger, though cancelled, expired or rejected here"
        case .notPlaced: "placed here, and not in the ledger"
        case .executedOtherwise: "executed here otherwise than at the exchange"
        case .forgotten: "pending, without a message that has them placed"
        case .strayMessage: "ended or not there, with a message that has them placed"
        case .differs: "stored otherwise than their events add up to: tickloop orders rebuild"
        case .gap: "with a gap in their history"
        case .lost: "answered with 201, and not there"
        case .keyTwice: "of a key that had another order before"
        case .notEnded: "answered as cancelled or expired, and neither"
        }
    }
}

/// Compares what is stored, what the exchange has in its ledger, and what clients were told. Pure.
struct OrderAudit {
    /// How often each order is in the ledger; read before the orders, and again for what came meanwhile.
    struct Ledger {
        var before: [OrderID: Int] = [:]
        var meanwhile: [OrderID: Int] = [:]

        func count(_ id: OrderID) -> Int { before[id, default: 0] + meanwhile[id, default: 0] }
    }

    /// How much of an order is executed at the exchange, and the number of the report that said so last.
    struct Fill {
        var quantity = 0
        var lastReport = 0
    }

    /// How much is executed at the exchange; read before the orders, and again for what came meanwhile.
    struct Fills {
        var before: [OrderID: Fill] = [:]
        var meanwhile: Set<OrderID> = []
        /// Up to which report all were taken in when the orders were read.
        var takenThrough = 0
    }

    private(set) var broken: [OrderPromise: [String]] = [:]
    private(set) var counts: [String: Int] = [:]
    /// Pending here and in the ledger, with the message that will tell: the answer was lost, or is on its way.
    private(set) var unsettled = 0
    /// Executed at the exchange, and the report was not taken in yet.
    private(set) var unreported = 0
    private let ledger: Ledger?
    private let fills: Fills?
    private let log: ClientLog?
    private var known: Set<OrderID> = []

    init(ledger: Ledger?, fills: Fills? = nil, log: ClientLog?) {
        self.ledger = ledger
        self.fills = fills
        self.log = log
    }

    /// What is wrong with the history of an order.
    mutating func found(_ promise: OrderPromise, _ id: String) { broken[promise, default: []].append(id) }

    /// Looks at one order.
    ///
    /// - Parameters:
    ///   - status: nil if there is only a message.
    ///   - filled: How much of it is executed.
    ///   - hasMessage: Whether there is a message that has it placed.
    mutating func look(at id: OrderID, _ status: Order.Status?, filled: Int = 0, hasMessage: Bool) {
        guard let status else { return found(.strayMessage, id.description) }
        known.insert(id)
        counts[status.rawValue, default: 0] += 1
        let placed = ledger?.count(id)
        if let placed, placed > 1 { found(.placedTwice, id.description) }
        switch status {
        case .pending:
            if !hasMessage { found(.forgotten, id.description) }
            if let placed, placed > 0 { unsettled += 1 }
        case .placed, .partiallyFilled, .filled:
            // Executions may be told of before the answer to the placement is; the message stays until then.
            if placed == 0 { found(.notPlaced, id.description) }
        case .rejected, .cancelled, .expired:
            if hasMessage { found(.strayMessage, id.description) }
            if let placed, placed > 0 { found(.endedAndPlaced, id.description) }
        }
        compare(id, filled: filled)
        if log?.ended.contains(id) == true, status != .cancelled, status != .expired {
            found(.notEnded, id.description)
        }
    }

    private mutating func compare(_ id: OrderID, filled: Int) {
        guard let fills, !fills.meanwhile.contains(id) else { return }
        let fill = fills.before[id] ?? Fill()
        if fill.lastReport > fills.takenThrough {
            unreported += 1
        } else if fill.quantity != filled {
            found(.executedOtherwise, id.description)
        }
    }

    /// All orders were looked at.
    mutating func finish() {
        defer { for promise in broken.keys { broken[promise]?.sort() } }
        for id in (ledger?.before ?? [:]).keys where !known.contains(id) { found(.unknownOrder, id.description) }
        guard let log else { return }
        for id in log.taken.union(log.ended) where !known.contains(id) { found(.lost, id.description) }
        for id in log.secondOfKey { found(.keyTwice, id.description) }
    }
}

/// What a client has written down of the answers that it got, a JSON object on each line: `{"taken":ID,"key":KEY}` for
/// a 201 (`key` is its Idempotency-Key, if it had one), `{"ended":ID}` for a 200 to its `DELETE`.
struct ClientLog {
    private(set) var taken: Set<OrderID> = []
    private(set) var ended: Set<OrderID> = []
    /// Orders of keys that had others before.
    private(set) var secondOfKey: Set<OrderID> = []
    private var keys: [String: OrderID] = [:]

    /// Takes the next line; false if it is none of a log.
    mutating func read(_ line: JSONValue) -> Bool {
        if let id = line["taken"]?.string.flatMap({ OrderID($0) }) {
            taken.insert(id)
            guard let key = line["key"]?.string else { return true }
            if let first = keys[key], first != id { secondOfKey.insert(id) } else { keys[key] = id }
            return true
        }
        guard let id = line["ended"]?.string.flatMap({ OrderID($0) }) else { return false }
        ended.insert(id)
        return true
    }
}
