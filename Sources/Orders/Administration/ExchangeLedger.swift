internal import HTTPClient
internal import HTTPWire
internal import JSONWire
internal import Reactor

/// Reads the ledger that the exchange keeps.
@ReactorActor
final class ExchangeLedger {
    /// Rows of one answer, and the most that it may have of bytes.
    private static let pageSize = 10_000
    private static let pageBytesMax = 16 * 1024 * 1024
    private static let timeout = Duration.seconds(30)

    private let client: HTTPClient
    private let authority: String
    private let path: String
    private var last = 0

    /// - Parameter path: Without a slash at its end; empty for the usual one.
    init(_ endpoint: Endpoint, path: String) {
        var configuration = HTTPClientConfiguration()
        configuration.responseLimits.bodyBytes = Self.pageBytesMax
        client = HTTPClient(upstream: endpoint, configuration: configuration)
        // RFC 9112 §3.2: a Host is always sent; a Unix-domain socket has none.
        authority = if case .tcp = endpoint { endpoint.description } else { "exchange" }
        self.path = path.isEmpty ? "/exchange/ledger" : path
    }

    /// How often each order is in what has been added since the last call.
    func readOn() async throws(OrderAdministrationError) -> [OrderID: Int] {
        var counts: [OrderID: Int] = [:]
        var isLast = false
        while !isLast {
            let page = try await page()
            guard let rows = page["executions"]?.array else { throw .ledger("it answers something else") }
            for row in rows {
                guard let id = row["order_id"]?.string.flatMap({ OrderID($0) }), let number = row["number"]?.integer
                else { throw .ledger("it has a row without an order or a number: \(row)") }
                counts[id, default: 0] += 1
                last = number
            }
            isLast = page["next"]?.integer == nil
        }
        return counts
    }

    func close() { client.close() }

    private func page() async throws(OrderAdministrationError) -> JSONValue {
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
        guard response.status == .ok else { throw .ledger("it answers \(response.status.rawValue)") }
        let limits = JSONLimits(bytes: Self.pageBytesMax)
        guard let json = try? JSONValue(parsing: response.body, limits: limits) else {
            throw .ledger("it answers what is not JSON")
        }
        return json
    }
}
