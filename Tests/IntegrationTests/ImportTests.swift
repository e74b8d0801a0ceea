import Foundation
import Reactor
import Supervision
import TestSupport
import Testing

/// Real closing prices, which lie beside the project where they are at hand.
private let realPrices = "\(Files.parent(of: packageFolder))/shared/data/prices.csv"

extension EndToEndTests {
    /// `tickloop import prices`, and what is asked over HTTP after it.
    @Suite struct ImportTests {
        private let system: System

        init() throws { system = try #require(RunningSystem.current) }

        /// The exact mean of some prices.
        private struct Mean {
            private var total = Decimal()
            private var count = Decimal()

            mutating func add(_ price: Decimal) {
                total += price
                count += 1
            }

            /// Rounded half away from zero (which NSDecimal calls plain) to 6 decimals, trailing zeros dropped.
            var text: String {
                var (exact, rounded) = (total / count, Decimal())
                unsafe NSDecimalRound(&rounded, &exact, 6, .plain)
                return rounded.description
            }
        }

        /// The means of the file's prices by symbol ("" for all of them), year and day.
        private func means() throws -> [String: [String: [String: Mean]]] {
            var means: [String: [String: [String: Mean]]] = [:]
            for line in try #require(Files.text(realPrices)).split(separator: "\n").dropFirst() {
                let fields = line.split(separator: ",").map(String.init)
                let day = String(fields[1].prefix(10))
                let price = try #require(Decimal(string: fields[2]))
                for symbol in [fields[0], ""] {
                    means[symbol, default: [:]][String(day.prefix(4)), default: [:]][day, default: Mean()].add(price)
                }
            }
            return means
        }

        @Test(.enabled(if: Files.isRegularFile(realPrices), "there is no ../shared/data/prices.csv beside the project"))
        @ReactorActor func `the means of an imported file are those of its lines`() async throws {
            let first = try await system.tool("import", "prices", realPrices)
            #expect(first.status == .exited(0), "\(first.lines)")
            let lines = try #require(Files.text(realPrices)).split(separator: "\n").count - 1
            #expect(first.lines.last == "\(lines) imported, 0 already there, 0 bad")
            let second = try await system.tool("import", "prices", realPrices)
            #expect(second.status == .exited(0))
            #expect(second.lines.last == "0 imported, \(lines) already there, 0 bad")

            for (symbol, years) in try means() {
                for (year, days) in years {
                    let filter = symbol.isEmpty ? "" : "&symbol=\(symbol)"
                    let target = "/prices/average?start_date=\(year)-01-01&end_date=\(year)-12-31\(filter)"
                    let expected = days.sorted { $0.key < $1.key }.map { (day: $0.key, mean: $0.value.text) }
                    let response = try await system.ask(.gateway, target)
                    #expect(response.body == Question.answer(expected), "\(target)")
                }
            }
        }

        /// What an operator reads when a tool cannot use the database, and what to do about it.
        @Test @ReactorActor func `a tool that cannot use the database says why and what to do`() async throws {
            let file = "\(try TestFolder.make())/prices.csv"
            try Files.write("symbol,recorded_at,price\nX,2025-01-06T00:00:00Z,1\n", to: file)
            let address = system.postgres.address
            let server = "127.0.0.1:\(address.port)"
            let empty = try await system.postgres.createDatabase()
            let cases = [
                (
                    "postgres://\(address.user):wrong@\(server)/\(system.database)", "password authentication failed",
                    "Set the user"
                ),
                (
                    "postgres://\(address.user):secret@\(server)/nothing", "database \"nothing\" does not exist",
                    "Create it"
                ),
                (
                    "postgres://\(address.user):secret@\(server)/\(system.database)?sslmode=require",
                    "does not support SSL", "sslmode"
                ),
            ]
            for (url, cause, advice) in cases {
                for words in [["import", "prices", file], ["migrate"], ["seed", "--sample"]] {
                    let (status, lines) = try await tool(words, url: url)
                    #expect(status == .exited(69))
                    #expect(lines.contains { $0.contains(cause) && $0.contains(advice) }, "\(words) \(lines)")
                }
            }
            for words in [["import", "prices", file], ["seed", "--rows", "1"], ["seed", "--sample"]] {
                let (status, lines) = try await tool(words, url: empty.localURL)
                #expect(status != .exited(0))
                #expect(lines.contains { $0.contains("tickloop migrate") }, "\(words) \(lines)")
            }
        }

        @ReactorActor
        private func tool(_ words: [String], url: String) async throws -> (status: WaitStatus, lines: [String]) {
            let tool = try TickloopProcess(words, environment: ["TICKLOOP_DATABASE_URL": url], folder: packageFolder)
            return (try await tool.waitForEnd(within: .seconds(60)), tool.lines)
        }

        @Test @ReactorActor func `bad lines are named, and the good ones are there`() async throws {
            let file = "\(try TestFolder.make())/prices.csv"
            try Files.write(
                "price,symbol,recorded_at\n1.25,IMPORTED,1998-01-01T10:00:00Z\nx,IMPORTED,1998-01-01T10:00:00Z\n",
                to: file
            )
            let tool = try await system.tool("import", "prices", file)
            #expect(tool.status == .exited(1))
            #expect(tool.lines.contains { $0.hasPrefix("line 3: ") })
            let target = "/prices/average?start_date=1998-01-01&end_date=1998-01-01&symbol=IMPORTED"
            #expect(try await system.ask(.gateway, target).body == Question.answer([("1998-01-01", "1.25")]))
        }

        @Test @ReactorActor func `many bad lines of one kind are counted, and written down on demand`() async throws {
            let folder = try TestFolder.make()
            let lines = (1...8).map { _ in "A,1998-02-01T10:00:00Z,x\n" }.joined()
            try Files.write("symbol,recorded_at,price\n\(lines)A,1998-02-01,1\n", to: "\(folder)/prices.csv")
            let tool = try await system.tool(
                "import",
                "prices",
                "\(folder)/prices.csv",
                "--rejects",
                "\(folder)/rejects"
            )
            #expect(tool.status == .exited(1))
            #expect(tool.lines.filter { $0.hasPrefix("line ") }.count == 6)
            #expect(tool.lines.contains("and 3 more lines with no price"))
            #expect(tool.lines.last == "0 imported, 0 already there, 9 bad")
            let rejects = try #require(Files.text("\(folder)/rejects")).split(separator: "\n")
            #expect(rejects.map { $0.prefix { $0 != ":" } } == (2...10).map { "line \($0)" })

            let nowhere = "\(folder)/none/rejects"
            let refused = try await system.tool("import", "prices", "\(folder)/prices.csv", "--rejects", nowhere)
            #expect(refused.status == .exited(64))
            #expect(refused.lines.first == "Error: \(nowhere) cannot be written: No such file or directory.")
        }
    }
}
