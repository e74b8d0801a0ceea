internal import Postgres
internal import Reactor

/// Ends orders that were never sent.
@ReactorActor
struct OrderCanceller {
    let database: PostgresPool

    private static let cancel = PostgresStatement("select withdraw_order($1, null, 'OrderCancelled', '{}')")

    /// Cancels an order, if it certainly never reached the exchange and now never will; how it is afterwards tells.
    func cancel(_ id: OrderID, deadline: Instant) async throws(PostgresError) {
        _ = try await database.query(Self.cancel, [.text(id.description)], deadline: deadline)
    }
}
