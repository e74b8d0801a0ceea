import Basics
import ArgumentParser
import Prices
import Reactor

struct SeedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seed",
        abstract: "Makes prices: the sample data of a first start, or volume for measurements."
    )

    @Flag(
        inversion: .prefixedNo,
        help: "Load the sample data of sql/sample, if this database never had it; or do nothing, for scripts."
    )
    var sample: Bool?

    @Option(help: "Make this many prices; running it twice adds them twice.")
    var rows: Int?

    @Option(help: "First day of the prices that --rows makes.")
    var from = PriceSeed.defaultRange.lowerBound

    @Option(help: "Last day of the prices that --rows makes.")
    var to = PriceSeed.defaultRange.upperBound

    @Option(help: "Symbols that --rows makes prices for.")
    var symbols = 100

    @Option(name: .customLong("sql"), help: "The folder with the migrations and sample/prices.sql.")
    var folder = "sql"

    @OptionGroup var tool: DatabaseTool

    func validate() throws {
        guard (sample != nil) != (rows != nil) else { throw ValidationError("Say either --sample or --rows N.") }
        guard rows ?? 1 > 0 else { throw ValidationError("--rows must be positive.") }
        guard (1...PriceSeed.symbolsMax).contains(symbols) else {
            throw ValidationError("--symbols must be from 1 to \(PriceSeed.symbolsMax).")
        }
        _ = try range()
    }

    func run() throws {
        if let rows { try seed(rows) }
        if sample == true { try loadSample() }
    }

    private func range() throws -> DateRange {
        guard let first = CalendarDate(from), let last = CalendarDate(to),
            let range = DateRange(first: first, last: last)
        else { throw ValidationError("--from and --to must be dates YYYY-MM-DD, in that order.") }
        return range
    }

    private func loadSample() throws -> Never {
        let file = "\(folder)/\(SamplePrices.path)"
        let script: String
        do { script = try FileContents.text(file, atMost: 64 << 20) } catch {
            throw ValidationError("\(file) \(error); say with --sql where the folder sql is.")
        }
        try tool.run { session in
            do {
                let isNew = try await SamplePrices.load(script, on: session, deadline: Reactor.now + .seconds(600))
                Terminal.say(isNew ? "Sample prices loaded." : "The sample prices are there already.")
                return 0
            } catch {
                Terminal.complain("The sample prices were not loaded: \(DatabaseTool.words(error))")
                return 1
            }
        }
    }

    private func seed(_ rows: Int) throws -> Never {
        let seed = PriceSeed(rows: rows, range: try range(), symbolCount: symbols)
        try tool.run { session in
            let progress = ProgressBar("seeding", total: rows)
            do {
                try await seed.run(on: session) { progress.show($0) }
                progress.finish()
                Terminal.say("\(rows) prices made.")
                return 0
            } catch {
                progress.finish()
                Terminal.complain("Seeding stopped: \(DatabaseTool.words(error))")
                return 1
            }
        }
    }
}
