internal import Postgres
internal import Reactor
internal import Tracing

/// Answers the requests of many tasks with few statements.
///
/// Not more statements are under way than the pool has connections. Further ones would only wait for these, while
/// requests that come meanwhile could not join them any more. So statements grow with the load, and while there is
/// none, nothing waits.
@ReactorActor
final class AverageStatements {
    /// Requests that were made together.
    private final class Inquiry {
        let deadline: Instant
        let answer: (Int, Result<[UInt8], PostgresError>) -> Void

        init(deadline: Instant, answer: @escaping (Int, Result<[UInt8], PostgresError>) -> Void) {
            self.deadline = deadline
            self.answer = answer
        }
    }

    /// One request, and where its answer goes.
    private struct Question {
        let request: AverageRequest
        let inquiry: Inquiry
        let index: Int
        let span: TraceSpan?
    }

    private let pool: PostgresPool
    private var waiting: [Question] = []
    private var statementsUnderWay = 0

    init(_ pool: PostgresPool) { self.pool = pool }

    /// Answers requests.
    ///
    /// - Parameters:
    ///   - spans: The spans of the requests whose traces are recorded, by position.
    ///   - deadline: When the caller stops waiting for any of them.
    ///   - answer: Called exactly once for each request, by its position; as ``DailyAverages`` does.
    func answer(
        _ requests: [AverageRequest],
        spans: [Int: TraceSpan],
        deadline: Instant,
        _ answer: @escaping @ReactorActor (Int, Result<[UInt8], PostgresError>) -> Void
    ) {
        let inquiry = Inquiry(deadline: deadline, answer: answer)
        for (index, request) in requests.enumerated() {
            waiting.append(Question(request: request, inquiry: inquiry, index: index, span: spans[index]))
        }
        send()
    }

    private func send() {
        while statementsUnderWay < pool.configuration.connections, !waiting.isEmpty {
            let batches = DailyAverages.batches(of: waiting.map(\.request))
            // The one with the request that has waited longest.
            guard let batch = batches.min(by: { $0[0] < $1[0] }) else { return }
            let questions = batch.map { waiting[$0] }
            let sent = Set(batch)
            waiting = batches.count == 1 ? [] : waiting.indices.filter { !sent.contains($0) }.map { waiting[$0] }
            // Comes back here before it returns when the pool refuses.
            send(questions)
        }
    }

    private func send(_ batch: [Question]) {
        // The one that may wait longest decides: a statement serves them all.
        guard let deadline = batch.lazy.map(\.inquiry.deadline).max() else { return }
        statementsUnderWay += 1
        var spans: [Int: TraceSpan] = [:]
        for (index, question) in batch.enumerated() { spans[index] = question.span }
        var unanswered = batch.count
        DailyAverages.answer(batch.map(\.request), spans: spans, from: pool, deadline: deadline) {
            [self] index, outcome in
            batch[index].inquiry.answer(batch[index].index, outcome)
            unanswered -= 1
            guard unanswered == 0 else { return }
            statementsUnderWay -= 1
            send()
        }
    }
}
