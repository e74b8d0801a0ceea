import ArgumentParser
import Basics
import Conversations
import Glibc
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
    var folder: String?

    @Flag(
        inversion: .prefixedNo,
        help: "Make sample conversations and import them, if this database never had any; or do nothing, for scripts."
    )
    var sample: Bool?

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

    func validate() throws {
        guard (sample != nil) != (folder != nil) else { throw ValidationError("Say either a folder or --sample.") }
    }

    func run() throws {
        if let folder { try load(folder) }
        if sample == true { try loadSample() }
    }

    /// Nothing else needs the sample, so that a start goes on without it where there is no pyarrow.
    private func loadSample() throws -> Never {
        let reader = reader ?? ProjectFiles.find("etc/read-parquet") ?? "etc/read-parquet"
        let folder = try TemporaryFolder()
        try tool.run { session in
            let outcome = await SampleConversations.load(
                reader: reader,
                maker: "\(Files.parent(of: reader))/make-sample-conversations",
                in: "\(folder.path)/sample",
                on: session,
                deadline: Reactor.now + .seconds(60)
            )
            folder.remove()
            switch outcome {
            case .loaded: Terminal.say("Sample conversations loaded.")
            case .notWanted: Terminal.say("There are conversations already.")
            case .notMade:
                Terminal.say("There are no sample conversations; etc/fetch-parquet-reader brings what is missing.")
            case .failed(let failure):
                Terminal.complain("The sample conversations were not loaded: \(failure)")
                return 1
            }
            return 0
        }
    }

    private func load(_ folder: String) throws {
        guard let reader = reader ?? ProjectFiles.find("etc/read-parquet") else {
            throw ValidationError("etc/read-parquet is neither here nor where this program is; say --reader.")
        }
        var options = ConversationImport.Options(reader: reader)
        options.relatesByOrder = relateByOrder
        options.hasTextIndex = textIndex
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
        case .failure(.busy):
            Terminal.complain("Somebody reads the tables of conversations all the time; the set is as it was.")
            return 2
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

/// A folder for files that are of no use afterwards.
private struct TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("\(ProcessEnvironment.variables["TMPDIR"] ?? "/tmp")/tickloop-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else {
            throw ValidationError("No folder can be made for temporary files: \(Terminal.words(errno)).")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func remove() { Files.remove(path) }
}
