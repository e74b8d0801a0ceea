internal import Reactor

/// One use of the simple protocol, outside pipeline mode: several statements in one text, or a `COPY … FROM STDIN`.
@ReactorActor
final class SimpleScript {
    enum Phase: Equatable {
        /// Statements in the pipeline are to be answered first.
        case queued
        /// Sent; results come until their end.
        case running
        /// The server takes rows.
        case copying
    }

    let sql: String
    let deadline: Instant
    var phase = Phase.queued
    /// The first error, or else the last result.
    private var outcome: PostgresOutcome?
    private var completion: ((PostgresOutcome) -> Void)?
    private var copyStarted: (() -> Void)?
    /// Waits until the socket has taken what was written.
    private var drained: (() -> Void)?

    /// - Parameters:
    ///   - copyStarted: Called when the server takes rows; nil for a script that is not a `COPY`.
    ///   - completion: Called once, when all is answered.
    init(
        _ sql: String,
        deadline: Instant,
        copyStarted: (@ReactorActor () -> Void)? = nil,
        then completion: @escaping @ReactorActor (PostgresOutcome) -> Void
    ) {
        self.sql = sql
        self.deadline = deadline
        self.copyStarted = copyStarted
        self.completion = completion
    }

    /// Whether the caller brought rows for a `COPY`.
    var isCopy: Bool { copyStarted != nil }

    func received(_ result: PostgresResult) {
        if case .failure = outcome { return }
        outcome = .success(result)
    }

    func failed(_ error: PostgresServerError) {
        if case .failure = outcome { return }
        outcome = .failure(.server(error))
    }

    func beginCopying() {
        phase = .copying
        let copyStarted = self.copyStarted
        self.copyStarted = nil
        copyStarted?()
    }

    func waitUntilDrained(_ body: @escaping @ReactorActor () -> Void) { drained = body }

    func outputDrained() {
        let drained = self.drained
        self.drained = nil
        drained?()
    }

    /// Tells the caller what came out, or `error`, once.
    func finish(_ error: PostgresError? = nil) {
        let completion = self.completion
        self.completion = nil
        outputDrained()
        completion?(error.map { .failure($0) } ?? outcome ?? .failure(.connectionLost))
    }
}
