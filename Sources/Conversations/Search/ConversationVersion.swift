internal import Postgres
internal import Reactor

/// Which set of conversations is there now.
///
/// It is asked for anew by each request, so that an import is seen by whoever asks after it; those who ask while a
/// question is under way share the next one, and never get an answer that was found before they asked.
@ReactorActor
final class ConversationVersion {
    private typealias Answer = Promise<String, PostgresError>

    private let database: PostgresPool
    private var isUnderWay = false
    private var waiting: [(answer: Answer, deadline: Instant)] = []
    /// The last one that was heard of.
    private(set) var latest = "0"

    init(_ database: PostgresPool) { self.database = database }

    /// The number of a version.
    static func number(of version: String) -> Int { Int(version.prefix { $0 != "." }) ?? 0 }

    func now(deadline: Instant) async throws(PostgresError) -> String {
        let answer = Answer()
        waiting.append((answer, deadline))
        if !isUnderWay { ask() }
        return try await answer.value
    }

    private func ask() {
        // The one that may wait longest decides: a question serves them all.
        guard let deadline = waiting.lazy.map(\.deadline).max() else { return }
        let asking = waiting
        waiting = []
        isUnderWay = true
        database.query(Self.statement, [], comment: nil, deadline: deadline) { [self] outcome in
            let version = outcome.map { $0.text(0, 0) ?? "" }
            if case .success(let version) = version { latest = version }
            for waiter in asking { waiter.answer.settle(version) }
            isUnderWay = false
            ask()
        }
    }

    private static let statement = PostgresStatement(reading: "select \(ConversationStatements.version)")
}
