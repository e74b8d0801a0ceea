internal import Glibc
internal import JSONWire
internal import Reactor

/// What the exchange has accepted, one line of JSON for each time, in a file that outlives the process.
///
/// A line is handed to the kernel before anybody is told of it. So it survives whatever kills the process; a crash of
/// the machine is not what this simulates. Everything is kept in memory too, and grows with the orders.
@ReactorActor
final class Ledger {
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

        init(number: Int, orderID: String, instrument: String, side: String, quantity: Int, executedAt: String) {
            self.number = number
            self.orderID = orderID
            self.instrument = instrument
            self.side = side
            self.quantity = quantity
            self.executedAt = executedAt
        }

        init?(line: ArraySlice<UInt8>, number: Int) {
            guard let value = try? JSONValue(parsing: Array(line), limits: JSONLimits(bytes: 4096)),
                value["number"]?.integer == number, let orderID = value["order_id"]?.string,
                let instrument = value["instrument"]?.string, let side = value["side"]?.string,
                let quantity = value["quantity"]?.integer, let executedAt = value["executed_at"]?.string
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

    /// Why there is no ledger.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private(set) var executions: [Execution] = []
    private var first: [String: Int] = [:]
    private var file: FileDescriptor?

    /// Reads what an earlier process has left. A last line without an end was never told to anybody.
    ///
    /// - Parameter path: nil keeps it in memory only.
    init(_ path: String?) throws(Failure) {
        guard let path else { return }
        let number = unsafe open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard number >= 0 else { throw Failure(description: "\(path): \(unsafe String(cString: strerror(errno)))") }
        let file = FileDescriptor(owning: number)
        var bytes: [UInt8] = []
        let chunk = 1 << 16
        while true {
            var count = 0
            let part = unsafe [UInt8](unsafeUninitializedCapacity: chunk) { buffer, size in
                count = unsafe read(number, buffer.baseAddress, chunk)
                size = max(0, count)
            }
            guard count >= 0 else { throw Failure(description: "\(path) cannot be read") }
            if count == 0 { break }
            bytes += part
        }
        let end = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        for line in bytes[..<end].split(separator: UInt8(ascii: "\n")) {
            guard let execution = Execution(line: line, number: executions.count + 1) else {
                throw Failure(description: "\(path): line \(executions.count + 1) is not one of a ledger")
            }
            keep(execution)
        }
        guard end == bytes.count || ftruncate(number, off_t(end)) == 0 else {
            throw Failure(description: "\(path) cannot be cut to whole lines")
        }
        self.file = consume file
    }

    /// The first acceptance of an order.
    subscript(orderID: String) -> Execution? { first[orderID].map { executions[$0] } }

    /// Accepts an order; nil if it could not be written.
    func accept(_ orderID: String, instrument: String, side: String, quantity: Int) -> Execution? {
        let execution = Execution(
            number: executions.count + 1,
            orderID: orderID,
            instrument: instrument,
            side: side,
            quantity: quantity,
            executedAt: Timestamp(unixTime: Reactor.unixTime).description
        )
        if file != nil {
            var writer = JSONWriter(capacity: 256)
            execution.write(to: &writer)
            guard append(writer.take() + [UInt8(ascii: "\n")]) else { return nil }
        }
        keep(execution)
        return execution
    }

    private func append(_ line: [UInt8]) -> Bool {
        let number = file?.number ?? -1
        let before = lseek(number, 0, SEEK_END)
        let count = unsafe line.withUnsafeBytes { unsafe write(number, $0.baseAddress, $0.count) }
        guard count != line.count else { return true }
        // A part of a line would make the next one unreadable.
        if before >= 0 { _ = ftruncate(number, before) }
        return false
    }

    private func keep(_ execution: Execution) {
        if first[execution.orderID] == nil { first[execution.orderID] = executions.count }
        executions.append(execution)
    }
}
