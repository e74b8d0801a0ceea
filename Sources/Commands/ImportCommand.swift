import ArgumentParser
import Glibc
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
            A file of daily prices will do too, such as Yahoo and Kaggle export (Date,Open,High,Low,Close,…): the \
            close is the price, --symbol says whose it is, and a day without a time counts as its midnight, UTC. \
            Fields may be separated by comma, semicolon, TAB or |, the text be UTF-8 or UTF-16. /dev/stdin reads a \
            pipe.

            Bad lines are reported by number and reason, the first few of each kind, and the good ones imported all \
            the same. Running it again imports only what is missing. The exit status is 0 if every line was good, 1 \
            if some were bad, 2 if nothing could be imported or the database failed.
            """
    )

    @Argument(help: "The CSV file.")
    var file: String

    @Option(help: "Whose prices these are, for a file without a column symbol.")
    var symbol: String?

    @Option(help: "Write every bad line's number and reason to this file.")
    var rejects: String?

    @OptionGroup var tool: DatabaseTool

    func run() throws {
        let (file, name) = (file, symbol)
        let symbol = name.flatMap { Symbol($0) }
        guard symbol != nil || name == nil else {
            throw ValidationError("\(name ?? "") is not a symbol such as AAPL, BRK.B or ^GSPC.")
        }
        let rejects = rejects.map { path in (path: path, file: RejectsFile(path)) }
        if let rejects, rejects.file == nil {
            throw ValidationError("\(rejects.path) cannot be written: \(Terminal.words(errno)).")
        }
        let database = try tool.database()
        let rejectsFile = rejects?.file
        try tool.run { session in
            let reporter = ImportReporter(rejects: rejectsFile)
            let importing = PriceImport(session, observer: database, report: { reporter.report($0) })
            let result: Result<PriceImport.Summary, PriceImport.Failure>
            do throws(PriceImport.Failure) {
                result = .success(try await importing.run(file, symbol: symbol))
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
    /// Lines of one kind that are told in full; a file whose every line has the same fault has no more to say.
    private static let shownPerKind = 5

    private let rejects: RejectsFile?
    private var reading: ProgressBar?
    private var storing: ProgressBar?
    private var badLines: [BadLineKind: Int] = [:]

    init(rejects: RejectsFile?) { self.rejects = rejects }

    func report(_ event: PriceImport.Event) {
        switch event {
        case .waitingForOtherImport:
            complain("Another import is under way; waiting for it to end.")
        case .waiting(let holders):
            let list = holders.map(\.description).joined(separator: " and ")
            complain("Waiting until \(list) commits or ends.")
        case .badLine(let line):
            rejects?.append("line \(line.number): \(line.reason)")
            badLines[line.kind, default: 0] += 1
            if badLines[line.kind, default: 0] <= Self.shownPerKind { complain("line \(line.number): \(line.reason)") }
        case .read(let bytes, let total):
            if reading == nil { reading = ProgressBar("reading", total: total) }
            reading?.show(bytes)
        case .stored(let lines, let total):
            reading?.finish()
            if storing == nil { storing = ProgressBar("storing", total: total) }
            storing?.show(lines)
        }
    }

    private func complain(_ line: String) {
        reading?.hide()
        storing?.hide()
        Terminal.complain(line)
    }

    /// - Returns: The exit status.
    func conclude(_ result: Result<PriceImport.Summary, PriceImport.Failure>, file: String) -> CInt {
        reading?.finish()
        storing?.finish()
        concludeBadLines()
        switch result {
        case .success(let summary):
            Terminal.say("\(summary.imported) imported, \(summary.alreadyThere) already there, \(summary.bad) bad")
            return summary.bad == 0 ? 0 : 1
        case .failure(.file(let error)):
            Terminal.complain("\(file): \(error)")
            return 2
        case .failure(.database(let error)):
            Terminal.complain("The import stopped: \(DatabaseTool.words(error)). Running it again brings the rest.")
            return 2
        }
    }

    private func concludeBadLines() {
        rejects?.flush()
        if let failure = rejects?.failure { Terminal.complain("Not all bad lines could be written down: \(failure).") }
        var isCut = false
        for kind in BadLineKind.allCases {
            let rest = badLines[kind, default: 0] - Self.shownPerKind
            guard rest > 0 else { continue }
            isCut = true
            Terminal.complain("and \(rest) more lines with \(kind.rawValue)")
        }
        if isCut, rejects == nil { Terminal.complain("--rejects FILE writes every bad line down.") }
    }
}
