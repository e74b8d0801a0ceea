import Reactor
import TestSupport

@testable import Prices

extension TestDatabase {
    /// What the rollups should hold and do not.
    func differences() async throws -> [String] { try await rows("select * from prices_rollup_differences()") }

    /// The days and means over all symbols, as `DAY MEAN` or, for a symbol, of that one.
    func means(of symbol: Symbol? = nil) async throws -> [String] {
        let table = symbol.map { "daily_symbol_prices where symbol = '\($0)' and" } ?? "daily_prices where"
        return try await rows(
            """
            select concat_ws(' ', average_json::json ->> 'date', average_json::json ->> 'average_price')
            from \(table) count > 0 order by day
            """
        )
    }

    /// What each month holds, as `DAY MEAN,DAY MEAN,…`; those without prices are left out.
    func months() async throws -> [String] {
        try await rows(
            """
            select (
                select string_agg(concat_ws(' ', day ->> 'date', day ->> 'average_price'), ',' order by number)
                from json_array_elements(('[' || averages_json || ']')::json) with ordinality as days (day, number)
            )
            from monthly_prices where averages_json <> '' order by month
            """
        )
    }
}
