package import Postgres
internal import Reactor
package import WebAPI

extension APIError {
    /// What a client is told when the database does not do what it was asked.
    package init(_ error: PostgresError) {
        switch error {
        case .unavailable, .connectionLost: self = .unavailable
        case .overloaded: self = .overloaded
        case .timedOut: self = .upstreamTimeout
        case .unencodable: self = .internalError.caused(by: "\(error)")
        case .server(let refusal) where refusal.sqlState == .queryCanceled: self = .upstreamTimeout
        // Connections, resources, an operator's intervention: PostgreSQL manual, appendix A.
        case .server(let refusal) where ["08", "53", "57"].contains(refusal.sqlState.code.prefix(2)):
            self = .unavailable
        case .server: self = .internalError.caused(by: "\(error)")
        }
    }

    /// What a route says that may happen when it asks the database.
    package static let ofDatabase: [APIError] = [.overloaded, .unavailable, .upstreamTimeout]
}

/// Asks the database for a client.
@ReactorActor
package func asked<Value>(
    _ question: @ReactorActor () async throws(PostgresError) -> Value
) async throws(APIError) -> Value {
    do { return try await question() } catch { throw APIError(error) }
}
