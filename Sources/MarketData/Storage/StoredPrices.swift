internal import JSONWire
internal import Postgres
internal import Prices
internal import Reactor

struct StoredPrice: Hashable, Sendable {
    let symbol: Symbol
    let price: QuotePrice
    let time: Timestamp
    let provider: String
    /// How long ago the provider was asked, by the database's clock, which also told when that was.
    let age: Duration
}

/// Reads the prices that providers have brought.
@ReactorActor
final class StoredPrices {
    /// Looking whether a symbol was priced is worth no longer wait.
    private static let patience = Duration.seconds(2)

    private let database: PostgresPool

    init(_ database: PostgresPool) { self.database = database }

    private static let newest = PostgresStatement(
        """
        select
            trim_scale(price)::text, utc_text(recorded_at), provider,
            greatest(0, extract(epoch from clock_timestamp() - fetched_at) * 1000)::bigint
        from prices
        where symbol = $1 and provider = any($2::text[])
        order by recorded_at desc, id desc
        limit 1
        """
    )

    /// The newest price of a symbol by one of some providers.
    func newest(
        of symbol: Symbol,
        by providers: [String],
        deadline: Instant
    ) async throws(PostgresError) -> StoredPrice? {
        let rows = try await database.query(
            Self.newest,
            [.text(symbol.text), .array(providers)],
            deadline: deadline
        )
        guard rows.count == 1, let price = rows.text(0, 0).flatMap({ QuotePrice($0) }),
            let time = rows.text(0, 1).flatMap({ Timestamp($0) }), let provider = rows.text(0, 2),
            let age = rows.int64(0, 3)
        else { return nil }
        return StoredPrice(symbol: symbol, price: price, time: time, provider: provider, age: .milliseconds(age))
    }

    /// Whether a provider has ever priced a symbol; no, while the database does not answer.
    func has(_ symbol: Symbol, by provider: String) async -> Bool {
        let found = try? await newest(of: symbol, by: [provider], deadline: Reactor.now + Self.patience)
        return found != nil
    }
}
