import ArgumentParser
import Prices
import Reactor

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Imports data from files.",
        subcommands: [ImportPricesCommand.self, ImportConversationsCommand.self]
    )
}

struct ImportPricesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prices",
        abstract: "Imports prices from a CSV file with the columns symbol, recorded_at and price.",
        discussion: """
            Bad lines are reported by number and reason, and the good ones imported all the same. Running it again \
            imports only what is missing. The exit status is 0 if every line was good, 1 if some were bad, 2 if \
            nothing could be imported or the database failed.
            """
    )

    @Argument(help: "The CSV file.")
    var file: String

    @OptionGroup var tool: DatabaseTool

    func run() throws {
        let file = file
        try tool.run { session in
            let reporter = ImportReporter()
            let result: Result<PriceImport.Summary, PriceImport.Failure>
            do throws(PriceImport.Failure) {
                result = .success(try await PriceImport(session, report: { reporter.report($0) }).run(file))
            } catch {
                result = .failure(error)
            }
            return reporter.conclude(result, file: file)
        }
    }
}

/// Tells the person at the terminal how an import goes.
@ReactorActor
private final class ImportReporter {
    private var reading: ProgressBar?
    private var storing: ProgressBar?

    func report(_ event: PriceImport.Event) {
        switch event {
        case .waitingForOtherImport:
            Terminal.complain("Another import is under way; waiting for it to end.")
        case .badLine(let number, let reason):
            reading?.finish()
            Terminal.complain("line \(number): \(reason)")
        case .read(let bytes, let total):
            if reading == nil { reading = ProgressBar("reading", total: total) }
            reading?.show(bytes)
        case .stored(let lines, let total):
            reading?.finish()
            if storing == nil { storing = ProgressBar("storing", total: total) }
            storing?.show(lines)
        }
    }

    /// - Returns: The exit status.
    func conclude(_ result: Result<PriceImport.Summary, PriceImport.Failure>, file: String) -> CInt {
        reading?.finish()
        storing?.finish()
        switch result {
        case .success(let summary):
            Terminal.say("\(summary.imported) imported, \(summary.alreadyThere) already there, \(summary.bad) bad")
            return summary.bad == 0 ? 0 : 1
        case .failure(.file(let error)):
            Terminal.complain("\(file): \(error)")
            return 2
        case .failure(.database(let error)):
            Terminal.complain("The import stopped: \(String(reflecting: error)). Running it again brings the rest.")
            return 2
        }
    }
}
