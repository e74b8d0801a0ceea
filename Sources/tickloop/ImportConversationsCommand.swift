import ArgumentParser
import Conversations
import Reactor

struct ImportConversationsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conversations",
        abstract: "Replaces the conversations by those of a folder of Parquet datasets.",
        discussion: """
            The folder has one folder for each of company, transcript, conversation and tag; others are named and \
            skipped. Bad rows are reported by file, row group, column and reason, and the good ones imported all the \
            same. Readers see the old set or the new one; when a file cannot be read, the old one stays. Running it \
            again changes nothing. The exit status is 0 if every row was good, 1 if not, or if the folder cannot be \
            used, 2 if the database failed.
            """
    )

    @Argument(help: "The folder.")
    var folder: String

    @Option(help: "The program that reads Parquet.")
    var reader = "etc/read-parquet"

    @OptionGroup var tool: DatabaseTool

    func run() throws {
        let (folder, reader) = (folder, reader)
        try tool.run { session in
            do throws(ConversationImport.Failure) {
                let summary = try await ConversationImport(session, reader: reader).run(folder)
                Terminal.say("\(summary.rows) rows read, \(summary.changed) changed")
                return summary.leftRowsOut ? 1 : 0
            } catch {
                switch error {
                case .noReader:
                    Terminal.complain("\(reader) could not be started; the set is as it was.")
                    return 1
                case .unreadable:
                    Terminal.complain("\(folder) was not imported; the set is as it was.")
                    return 1
                case .database(let error):
                    Terminal.complain("The set is as it was: \(String(reflecting: error))")
                    return 2
                case .outcomeUnknown:
                    Terminal.complain("The connection broke at the end: the set is the old or the new one, whole.")
                    return 2
                }
            }
        }
    }
}
