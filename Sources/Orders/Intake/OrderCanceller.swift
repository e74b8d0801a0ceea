internal import Postgres
internal import Reactor

/// Ends orders that were never sent.
@ReactorActor
struct OrderCanceller {
    let database: PostgresPool

    private static let cancel = PostgresStatement("select withdraw_order($1, $2, 'OrderCancelled', '{}')")

    /// Cancels an order, if it certainly never reached the exchange and now never will; how it is afterwards tells.
    ///
    /// - Parameter owner: Whose it must be; nil for anybody's.
    func cancel(_ id: OrderID, of owner: String?, deadline: Instant) async throws(PostgresError) {
        _ = try await database.query(
            Self.cancel,
            [.text(id.description), owner.map { .text($0) } ?? .null],
            deadline: deadline
        )
    }
}
