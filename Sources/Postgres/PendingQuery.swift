internal import Metrics
internal import Reactor

/// What the caller of a query is told.
typealias PostgresOutcome = Result<PostgresResult, PostgresError>

/// A statement with its parameters, from the moment it is accepted until its caller knows the outcome.
@ReactorActor
final class PendingQuery {
    /// What to execute.
    enum Text {
        case prepared(PostgresStatement)
        /// A statement with a comment of this one execution, which a preparation would outlive: sent as text.
        case commented(PostgresStatement, String)
        /// SQL that is sent as it is, such as `BEGIN`.
        case plain(String)
    }

    let text: Text
    let parameters: [PostgresParameter]
    let deadline: Instant
    /// Whether to send it once more when the connection breaks: a read that is not part of a session.
    var isRepeatable: Bool
    private var completion: ((PostgresOutcome) -> Void)?
    private let acceptedAt = Reactor.now
    /// Where the time until the outcome is counted.
    private let latency: Histogram?

    init(
        _ text: Text,
        _ parameters: [PostgresParameter],
        deadline: Instant,
        isRepeatable: Bool = false,
        latency: Histogram?,
        then completion: @escaping @ReactorActor (PostgresOutcome) -> Void
    ) {
        self.text = text
        self.parameters = parameters
        self.deadline = deadline
        self.isRepeatable = isRepeatable
        self.latency = latency
        self.completion = completion
    }

    /// Whether the caller still waits. After the deadline it does not, while the reply may be under way.
    var isAwaited: Bool { completion != nil }

    var isReading: Bool {
        switch text {
        case .prepared(let statement), .commented(let statement, _): statement.isReading
        case .plain: false
        }
    }

    /// Tells the caller, once; later outcomes go nowhere.
    func finish(_ outcome: PostgresOutcome) {
        guard let completion else { return }
        self.completion = nil
        switch outcome {
        // It took no time, and never was a statement to the server.
        case .failure(.unavailable), .failure(.overloaded): break
        case .success, .failure: latency?.observe(Reactor.now - acceptedAt)
        }
        completion(outcome)
    }
}
