import Postgres
import Reactor
import Supervision
import TestSupport
import Testing

@testable import Prices

/// Real closing prices, which lie beside the project where they are at hand.
private let realPrices = "\(Files.parent(of: packageFolder))/shared/data/prices.csv"

@Suite(.enabled(if: Files.isRegularFile(realPrices), "there is no ../shared/data/prices.csv beside the project"))
struct RealPricesTests {
    init() { loop }

    /// Sum and count of some prices, in millionths: exact, as the file has at most 6 decimals.
    private struct Mean {
        var millionths = 0
        var count = 0

        /// Rounded half away from zero to 6 decimals, trailing zeros dropped.
        var text: String {
            let rounded = (2 * millionths.magnitude + UInt(count)) / UInt(2 * count)
            var fraction = String(String(1_000_000 + rounded % 1_000_000).dropFirst())
            while fraction.last == "0" { fraction.removeLast() }
            return "\(millionths < 0 ? "-" : "")\(rounded / 1_000_000)\(fraction.isEmpty ? "" : ".")\(fraction)"
        }
    }

    @Test @ReactorActor func `the means of every day and symbol equal those computed from the file`() async throws {
        var bySymbol: [String: [String: Mean]] = [:]
        var overAll: [String: Mean] = [:]
        let text = try #require(Files.text(realPrices))
        let lines = text.split(separator: "\n").dropFirst()
        for line in lines {
            let fields = line.split(separator: ",").map(String.init)
            let parts = fields[2].split(separator: ".", omittingEmptySubsequences: false)
            let fraction = parts.count > 1 ? parts[1] + String(repeating: "0", count: 6 - parts[1].count) : "000000"
            let millionths = try #require(Int(String(parts[0]) + fraction))
            let day = String(fields[1].prefix(10))
            bySymbol[fields[0], default: [:]][day, default: Mean()].millionths += millionths
            bySymbol[fields[0], default: [:]][day, default: Mean()].count += 1
            overAll[day, default: Mean()].millionths += millionths
            overAll[day, default: Mean()].count += 1
        }
        func list(_ means: [String: Mean]) -> [String] {
            means.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.text)" }
        }

        let database = try await TestDatabase()
        let summary = try await PriceImport(database.session) { _ in }.run(realPrices)
        #expect(summary == PriceImport.Summary(imported: lines.count, alreadyThere: 0, bad: 0))
        #expect(try await database.means() == list(overAll))
        #expect(bySymbol.count == 5)
        for (symbol, means) in bySymbol {
            #expect(try await database.means(of: Symbol(symbol)) == list(means), "\(symbol)")
        }
        let again = try await PriceImport(database.session) { _ in }.run(realPrices)
        #expect(again == PriceImport.Summary(imported: 0, alreadyThere: lines.count, bad: 0))
        #expect(try await database.differences() == [])
    }
}
