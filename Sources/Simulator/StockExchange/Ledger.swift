internal import Glibc
internal import JSONWire
internal import Reactor

/// What the exchange has accepted, and what it has reported, one line of JSON for each, in a file that outlives the
/// process.
///
/// A line is handed to the kernel before anybody is told of it. So it survives whatever kills the process; a crash of
/// the machine is not what this simulates. Everything is kept in memory too, and grows with the orders.
@ReactorActor
final class Ledger {
    /// Why there is no ledger.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// How far an order is executed; of one that was accepted twice, both times together.
    struct Position {
        var ordered = 0
        var filled = 0
        var price = ""

        var open: Int { ordered - filled }
    }

    private(set) var executions: [Execution] = []
    private(set) var reports: [ExchangeReport] = []
    private(set) var positions: [String: Position] = [:]
    /// The last report of each execution, by its place.
    private var latest: [String: Int] = [:]
    private var first: [String: Int] = [:]
    private var file: FileDescriptor?
    /// Called when there are new reports.
    var onReport: (@ReactorActor () -> Void)?

    /// Reads what an earlier process has left. A last line without an end was never told to anybody.
    ///
    /// - Parameter path: nil keeps it in memory only.
    init(_ path: String?) throws(Failure) {
        guard let path else { return }
        let number = unsafe open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard number >= 0 else { throw Failure(description: "\(path): \(unsafe String(cString: strerror(errno)))") }
        file = FileDescriptor(owning: number)
        let bytes = try Self.content(of: number, at: path)
        let end = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        for (index, line) in bytes[..<end].split(separator: UInt8(ascii: "\n")).enumerated() {
            let json = try? JSONValue(parsing: Array(line), limits: JSONLimits(bytes: 4096))
            if let report = json.flatMap({ ExchangeReport($0) }), report.number == reports.count + 1 {
                keep(report)
            } else if let execution = json.flatMap({ Execution($0) }), execution.number == executions.count + 1 {
                keep(execution)
            } else {
                throw Failure(description: "\(path): line \(index + 1) is not one of a ledger")
            }
        }
        guard end == bytes.count || ftruncate(number, off_t(end)) == 0 else {
            throw Failure(description: "\(path) cannot be cut to whole lines")
        }
        try reportAcceptances()
    }

    private static func content(of file: CInt, at path: String) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        let chunk = 1 << 16
        while true {
            var count = 0
            let part = unsafe [UInt8](unsafeUninitializedCapacity: chunk) { buffer, size in
                count = unsafe read(file, buffer.baseAddress, chunk)
                size = max(0, count)
            }
            guard count >= 0 else { throw Failure(description: "\(path) cannot be read") }
            if count == 0 { return bytes }
            bytes += part
        }
    }

    /// An acceptance that was written without its report is reported now.
    private func reportAcceptances() throws(Failure) {
        var unreported: [String: Int] = [:]
        for execution in executions { unreported[execution.orderID, default: 0] += 1 }
        for report in reports where report.kind == .accepted { unreported[report.orderID, default: 0] -= 1 }
        for execution in executions where unreported[execution.orderID, default: 0] > 0 {
            unreported[execution.orderID, default: 0] -= 1
            let report = acceptance(of: execution, price: ExchangeReport.marketPrice(of: execution.instrument))
            guard append([report.line]) else { throw Failure(description: "the ledger cannot be written") }
            keep(report)
        }
    }

    /// The first acceptance of an order.
    subscript(orderID: String) -> Execution? { first[orderID].map { executions[$0] } }

    /// Accepts an order, and reports it; nil if it could not be written.
    func accept(_ order: ExchangeOrder) -> Execution? {
        let execution = Execution(
            number: executions.count + 1,
            orderID: order.id,
            instrument: order.instrument,
            side: order.side,
            quantity: order.quantity,
            executedAt: Timestamp(unixTime: Reactor.unixTime).description
        )
        let price = order.limitPrice ?? ExchangeReport.marketPrice(of: order.instrument)
        let report = acceptance(of: execution, price: price)
        var writer = JSONWriter(capacity: 256)
        execution.write(to: &writer)
        guard append([writer.take(), report.line]) else { return nil }
        keep(execution)
        keep(report)
        onReport?()
        return execution
    }

    private func acceptance(of execution: Execution, price: String) -> ExchangeReport {
        ExchangeReport(
            number: reports.count + 1,
            kind: .accepted,
            orderID: execution.orderID,
            executionID: nil,
            quantity: execution.quantity,
            price: price,
            at: execution.executedAt
        )
    }

    /// Reports an execution; false if it could not be written, so that nothing has happened.
    func report(_ kind: ExchangeReport.Kind, of orderID: String, _ executionID: String, quantity: Int) -> Bool {
        let report = ExchangeReport(
            number: reports.count + 1,
            kind: kind,
            orderID: orderID,
            executionID: executionID,
            quantity: quantity,
            price: positions[orderID]?.price ?? "",
            at: Timestamp(unixTime: Reactor.unixTime).description
        )
        guard append([report.line]) else { return false }
        keep(report)
        onReport?()
        return true
    }

    /// How much an execution is now.
    func quantity(of executionID: String) -> Int? { latest[executionID].map { reports[$0].quantity } }

    /// How executions stand whose last report is behind a number, in the order of these.
    func standing(after number: Int, limit: Int) -> [ExchangeReport] {
        Array(
            reports.dropFirst(number).lazy
                .filter { [latest] report in report.executionID.map { latest[$0] == report.number - 1 } ?? false }
                .prefix(limit)
        )
    }

    private func append(_ lines: [[UInt8]]) -> Bool {
        guard file != nil else { return true }
        let number = file?.number ?? -1
        let bytes = Array(lines.map { $0 + [UInt8(ascii: "\n")] }.joined())
        let before = lseek(number, 0, SEEK_END)
        let count = unsafe bytes.withUnsafeBytes { unsafe write(number, $0.baseAddress, $0.count) }
        guard count != bytes.count else { return true }
        // A part of a line would make the next one unreadable.
        if before >= 0 { _ = ftruncate(number, before) }
        return false
    }

    private func keep(_ execution: Execution) {
        if first[execution.orderID] == nil { first[execution.orderID] = executions.count }
        executions.append(execution)
    }

    private func keep(_ report: ExchangeReport) {
        if let id = report.executionID {
            positions[report.orderID, default: Position()].filled += report.quantity - (quantity(of: id) ?? 0)
            latest[id] = reports.count
        } else {
            positions[report.orderID, default: Position()].ordered += report.quantity
            positions[report.orderID]?.price = report.price
        }
        reports.append(report)
    }
}

extension Ledger {
    /// One acceptance of an order.
    struct Execution {
        let number: Int
        let orderID: String
        let instrument: String
        let side: String
        let quantity: Int
        let executedAt: String

        func write(to writer: inout JSONWriter) {
            writer.object { writer in
                writer.member("number", number)
                writer.member("order_id", orderID)
                writer.member("instrument", instrument)
                writer.member("side", side)
                writer.member("quantity", quantity)
                writer.member("executed_at", executedAt)
            }
        }
    }
}

extension Ledger.Execution {
    fileprivate init?(_ json: JSONValue) {
        guard let number = json["number"]?.integer, let orderID = json["order_id"]?.string,
            let instrument = json["instrument"]?.string, let side = json["side"]?.string,
            let quantity = json["quantity"]?.integer, let executedAt = json["executed_at"]?.string
        else { return nil }
        self.init(
            number: number,
            orderID: orderID,
            instrument: instrument,
            side: side,
            quantity: quantity,
            executedAt: executedAt
        )
    }
}
