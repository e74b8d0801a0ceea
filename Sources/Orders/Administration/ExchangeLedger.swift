internal import HTTPClient
internal import HTTPWire
internal import JSONWire
internal import Reactor

/// Reads the ledger that the exchange keeps, and how executions stand there.
@ReactorActor
final class ExchangeLedger {
    /// What there is of orders in a number of reads.
    struct Reading {
        /// How often each order is in the ledger.
        var accepted: [OrderID: Int] = [:]
        /// How much of each order is executed; nil if this exchange does not tell.
        var fills: [OrderID: OrderAudit.Fill]?
    }

    /// Rows of one answer, and the most that it may have of bytes.
    private static let pageSize = 10_000
    private static let pageBytesMax = 16 * 1024 * 1024
    private static let timeout = Duration.seconds(30)
    private static let executionsPath = "/exchange/executions"

    private let client: HTTPClient
    private let authority: String
    private let path: String
    private var lastAcceptance = 0
    private var lastReport = 0

    /// - Parameter path: Of the ledger, without a slash at its end; empty for the usual one, beside which there is what
    ///   was executed.
    init(_ endpoint: Endpoint, path: String) {
        var configuration = HTTPClientConfiguration()
        configuration.responseLimits.bodyBytes = Self.pageBytesMax
        client = HTTPClient(upstream: endpoint, configuration: configuration)
        // RFC 9112 §3.2: a Host is always sent; a Unix-domain socket has none.
        authority = if case .tcp = endpoint { endpoint.description } else { "exchange" }
        self.path = path
    }

    /// What has been added since the last call.
    func readOn() async throws(OrderAdministrationError) -> Reading {
        var reading = Reading()
        let ledger = path.isEmpty ? "/exchange/ledger" : path
        let lastAcceptance = try await read(ledger, after: lastAcceptance) { id, _, _ in
            reading.accepted[id, default: 0] += 1
        }
        self.lastAcceptance = lastAcceptance ?? self.lastAcceptance
        guard path.isEmpty else { return reading }
        var fills: [OrderID: OrderAudit.Fill] = [:]
        let lastReport = try await read(Self.executionsPath, after: lastReport) { id, number, row in
            fills[id, default: OrderAudit.Fill()].quantity += row["quantity"]?.integer ?? 0
            fills[id]?.lastReport = number
        }
        guard let lastReport else { return reading }
        self.lastReport = lastReport
        reading.fills = fills
        return reading
    }

    func close() { client.close() }

    /// Reads all pages behind a number, row by row.
    ///
    /// - Returns: The number of the last row; nil if there is no such thing at all.
    private func read(
        _ path: String,
        after number: Int,
        _ take: (OrderID, Int, JSONValue) -> Void
    ) async throws(OrderAdministrationError) -> Int? {
        var last = number
        var isLast = false
        while !isLast {
            guard let page = try await page(path, after: last) else { return nil }
            guard let rows = page["executions"]?.array else { throw .ledger("it answers something else") }
            for row in rows {
                guard let id = row["order_id"]?.string.flatMap({ OrderID($0) }), let number = row["number"]?.integer
                else { throw .ledger("it has a row without an order or a number: \(row)") }
                take(id, number, row)
                last = number
            }
            isLast = page["next"]?.integer == nil
        }
        return last
    }

    /// A page; nil if there is nothing at this path, other than at the ledger's.
    private func page(_ path: String, after last: Int) async throws(OrderAdministrationError) -> JSONValue? {
        let request = HTTPClientRequest(
            .get,
            target: "\(path)?after=\(last)&limit=\(Self.pageSize)",
            authority: authority
        )
        let response: HTTPClientResponse
        do {
            response = try await client.send(request, deadline: Reactor.now + Self.timeout)
        } catch {
            throw .ledger("\(error)")
        }
        if response.status == .notFound, path == Self.executionsPath { return nil }
        guard response.status == .ok else { throw .ledger("it answers \(response.status.rawValue)") }
        let limits = JSONLimits(bytes: Self.pageBytesMax)
        guard let json = try? JSONValue(parsing: response.body, limits: limits) else {
            throw .ledger("it answers what is not JSON")
        }
        return json
    }
}
