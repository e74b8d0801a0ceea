import Postgres
import TestSupport

@testable import Orders

extension TestDatabase {
    /// Stores an order, and makes its number's id.
    func submit(_ number: Int, quantity: Int = 10, expiresAt: String = "null", on other: PostgresSession? = nil)
        async throws
    {
        try await execute(
            """
            select submit_orders(
                array['\(Self.id(number))']::uuid[], array[date_trunc('milliseconds', now())], '{limit}', '{buy}',
                '{DE000A0Q4RZ3}', '{150.00}', '{\(quantity)}', array[\(expiresAt)]::timestamptz[], '{null}', '{null}'
            )
            """,
            on: other
        )
    }

    /// Adds an event to an order.
    func append(_ type: String, _ data: String = "{}", to number: Int) async throws {
        try await execute(
            "select orders_append_events('{\(Self.id(number))}', '{\(type)}', array['\(data)']::jsonb[])"
        )
    }

    static func id(_ number: Int) -> String { "01900000-0000-7000-8000-" + String(100_000_000_000 + number) }
}
