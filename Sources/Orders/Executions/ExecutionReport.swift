internal import JSONWire

/// A numbered report of the exchange: how an execution stands, or only that it has an order.
struct ExecutionReport: Hashable, Sendable {
    /// What it says.
    enum Content: Hashable, Sendable {
        /// The exchange has the order.
        case accepted(OrderID)
        /// So much of the order is executed by this, also after a correction.
        case execution(OrderID, Execution)
        /// It is of no kind that is known, or of an order that cannot be one of ours.
        case unusable
    }

    /// One execution as it stands.
    struct Execution: Hashable, Sendable {
        /// The exchange's name for it, which it keeps when it is corrected.
        let id: String
        /// 0 if it was revoked.
        let quantity: Int
        /// The text of a number.
        let price: String
    }

    /// Longest name of an execution.
    private static let idBytesMax = 200
    /// Longest text of a price, which is stored as it came.
    private static let priceBytesMax = 64

    /// Largest number of a report, which no exchange gets to: one that is larger is nonsense.
    static let numberMax = 1 << 53

    /// The exchange counts its reports from 1.
    let number: Int
    let content: Content
}

extension ExecutionReport {
    /// Reads a report; nil for what has no number.
    init?(_ json: JSONValue) {
        guard let number = json["number"]?.integer, (1...Self.numberMax).contains(number) else { return nil }
        self.init(number: number, content: Self.content(json))
    }

    private static func content(_ json: JSONValue) -> Content {
        guard let id = json["order_id"]?.string.flatMap({ OrderID($0) }) else { return .unusable }
        switch json["type"]?.string {
        case "accepted": return .accepted(id)
        case "partial_fill", "fill", "correction": return Execution(json).map { .execution(id, $0) } ?? .unusable
        default: return .unusable
        }
    }
}

extension ExecutionReport.Execution {
    /// Reads the members that a report of an execution has, and a row of a snapshot.
    init?(_ json: JSONValue) {
        guard let id = json["execution_id"]?.string, (1...ExecutionReport.idBytesMax).contains(id.utf8.count),
            id.utf8.allSatisfy({ $0 > 0 }),
            let quantity = json["quantity"]?.integer, (0...OrderForm.quantityMax).contains(quantity),
            let price = json["price"]?.numberText, price.utf8.count <= ExecutionReport.priceBytesMax,
            let value = Double(price), value > 0, value.isFinite
        else { return nil }
        self.init(id: id, quantity: quantity, price: price)
    }
}

/// A line of the exchange's stream.
enum ReportLine: Hashable, Sendable {
    case report(ExecutionReport)
    /// Nothing new; the number of the last report that there is.
    case heartbeat(last: Int)
    case unreadable

    /// Longest line.
    static let bytesMax = 4096

    init(_ bytes: [UInt8]) {
        guard let json = try? JSONValue(parsing: bytes, limits: JSONLimits(bytes: Self.bytesMax)) else {
            self = .unreadable
            return
        }
        if let last = json["heartbeat"]?.integer, (0...ExecutionReport.numberMax).contains(last) {
            self = .heartbeat(last: last)
        } else {
            self = ExecutionReport(json).map { .report($0) } ?? .unreadable
        }
    }
}
