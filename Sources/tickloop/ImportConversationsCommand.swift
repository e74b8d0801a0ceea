import ArgumentParser
import Conversations
import Postgres
import Reactor
import Supervision

struct ImportConversationsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conversations",
        abstract: "Replaces the conversations by those of a folder of Parquet datasets.",
        discussion: """
            The folder has one folder for each of company, transcript, conversation and tag; others are named and \
            skipped. Bad rows are reported by file, row group, column and reason, the first few of each dataset, and \
            the good ones imported all the same. Readers see the old set or the new one; when a file cannot be read, \
            the old one stays. Running it again changes nothing. The exit status is 0 if every row was good, 1 if \
            not, or if the folder cannot be used, 2 if the database failed.
            """
    )

    @Argument(help: "The folder.")
    var folder: String

    @Flag(
        help: """
            For sets that do not say what belongs to what: transcripts come in equal groups, one for each company, and \
            a transcript's conversations begin where sequence_conversation starts again at 1. Refused if the counts do \
            not come out even.
            """
    )
    var relateByOrder = false

    @Flag(inversion: .prefixedNo, help: "Index the texts for q=, which is most of the work.")
    var textIndex = true

    @Option(help: "The program that reads Parquet. (default: etc/read-parquet of the project or of this folder)")
    var reader: String?

    @OptionGroup var tool: DatabaseTool

    func run() throws {
        guard let reader = reader ?? ProjectFiles.find("etc/read-parquet") else {
            throw ValidationError("etc/read-parquet is neither here nor where this program is; say --reader.")
        }
        var options = ConversationImport.Options(reader: reader)
        options.relatesByOrder = relateByOrder
        options.hasTextIndex = textIndex
        let folder = folder
        try tool.run { [options] session in
            await ConversationImportReport().run(session, options, folder)
        }
    }
}

/// Tells the person at the terminal how an import of conversations goes.
@ReactorActor
final class ConversationImportReport {
    private var reading: ProgressBar?
    private var indexing: ProgressBar?

    /// Imports a folder.
    ///
    /// - Returns: The exit status.
    func run(_ session: PostgresSession, _ options: ConversationImport.Options, _ folder: String) async -> CInt {
        let importing = ConversationImport(session, options) { [self] in report($0) }
        let result: Result<ConversationImport.Summary, ConversationImport.Failure>
        do throws(ConversationImport.Failure) {
            result = .success(try await importing.run(folder))
        } catch {
            result = .failure(error)
        }
        reading?.finish()
        indexing?.finish()
        switch result {
        case .success(let summary):
            Terminal.say("\(summary.rows) rows read, \(summary.changed) changed")
            return summary.leftRowsOut ? 1 : 0
        case .failure(.noReader):
            Terminal.complain("\(options.reader) could not be started; the set is as it was.")
            return 1
        case .failure(.unreadable):
            Terminal.complain("\(folder) was not imported; the set is as it was.")
            return 1
        case .failure(.database(let error)):
            Terminal.complain("The set is as it was: \(DatabaseTool.words(error))")
            return 2
        case .failure(.outcomeUnknown):
            Terminal.complain("The connection broke at the end: the set is the old or the new one, whole.")
            return 2
        }
    }

    private func report(_ event: ConversationImport.Event) {
        switch event {
        case .waitingForOtherImport:
            Terminal.complain("Another import is under way; waiting for it to end.")
        case .read(let rows, let total):
            if reading == nil { reading = ProgressBar("reading", total: total) }
            reading?.show(rows)
        case .repeated(let table, let rows):
            reading?.hide()
            Terminal.complain("\(rows) rows of \(table) have an id that is there already; the first one counts.")
        case .indexed(let steps, let total):
            reading?.finish()
            if indexing == nil { indexing = ProgressBar("indexing", total: total) }
            indexing?.show(steps)
        }
    }
}
