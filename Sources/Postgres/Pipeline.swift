internal import DequeModule

/// What is in flight on one connection in libpq's pipeline mode, and what each reply means. No socket, no libpq.
///
/// Replies come in the order of what was sent, and libpq delimits them: each statement answers *a result, then an
/// end*; each sync answers *synchronized* alone. Syncs cut the pipeline into segments, and a segment is one implicit
/// transaction: after an error the server skips what is left of it, and undoes what came before.
///
/// So a statement with effects gets a segment of its own, and counts as done when its sync is answered, because a
/// deferred constraint may still fail the commit. Reads have nothing to undo: those of a turn share a segment, and
/// with it one system call here and one there. A read that is skipped because of a neighbour's error is sent again,
/// alone. Preparations have a segment of their own, so that nobody else's error can undo one that was relied upon.
///
///     prepare a · sync · read a · read b · read a · sync · write c · sync
///     └── segment ──┘   └────────── segment ─────────┘   └─ segment ─┘
///
/// Generic over the query and the response, neither of which it looks at; the tests use strings.
struct Pipeline<Query, Response>: ~Copyable {
    /// One statement on its way.
    struct Sending {
        let query: Query
        /// The number of the prepared statement; `nil` sends the SQL text itself.
        var statement: Int?
        let isReading: Bool
        /// How often it was sent before without being executed.
        var resends = 0

        var isShareable: Bool { isReading && resends == 0 }
    }

    /// What to hand to libpq for a statement, from top to bottom.
    struct SendPlan: Equatable {
        /// Sync first: the open segment ends before this statement.
        var endsOpenSegment = false
        /// Prepare the statement under this name generation, then sync.
        var preparesGeneration: Int?
        /// Execute the statement by the name of this generation; `nil` for a statement that is not prepared.
        var generation: Int?
        /// Sync last: the segment ends with this statement.
        var endsOwnSegment = false
    }

    /// What libpq gave back.
    enum Reply {
        case success(Response)
        case failure(Response, Failure)
        /// The statement was skipped because of an earlier error in its segment.
        case aborted
        /// What libpq says as a null result, after the result of each statement.
        case end
        case synchronized
    }

    /// What kind of error a statement met.
    enum Failure {
        /// The session does not know the prepared statement; nothing was executed.
        case unknownStatement
        /// The session has the prepared statement that was to be prepared.
        case knownStatement
        /// The prepared statement may no longer fit the tables; nothing stays of its execution.
        case stalePlan
        case other
    }

    /// What to do about a reply.
    enum Action {
        case wait
        /// The query is answered, for good.
        case finish(Query, Response)
        /// The query was not executed and nothing stays of it: send it again.
        case resend(Sending)
        /// The reply fits nothing that is in flight; the connection is of no more use.
        case abandonConnection
    }

    private enum Entry {
        case preparation(of: Int)
        case statement(Sending)
        /// Something whose result has come, and what to do when its end has.
        ///
        /// Not before, because between the two libpq must not be given anything to send: in an aborted segment it would
        /// then forget the end, and count wrong from there on.
        case answered(then: Action)
        case sync
    }

    private enum Preparation {
        case absent
        case sent
        case ready
    }

    private struct Prepared {
        var state = Preparation.absent
        /// Part of the name. What replaces a stale statement gets a new name, so the old one needs no closing first.
        var generation = 1
        /// Why the last preparation failed. Executions sent in reliance upon it are refused for this reason.
        var failure: Response?
    }

    /// Bounds the work that the server does before it flushes, and with it the wait of the first read of a segment.
    private static var readsPerSegmentMax: Int { 16 }

    private var entries = Deque<Entry>(minimumCapacity: 64)
    private var prepared: [Int: Prepared] = [:]
    private var readsInOpenSegment = 0
    /// The result of a statement with effects, until its commit is known.
    private var uncommitted: (query: Query, response: Response)?
    /// Whether the last reply said that a commit failed; its end comes before the sync.
    private var didSyncFail = false

    /// How many statements wait for their result.
    private(set) var statementsInFlight = 0

    /// Whether no reply is due.
    var isEmpty: Bool { entries.isEmpty }

    /// A statement is about to be sent.
    mutating func submitted(_ sending: Sending) -> SendPlan {
        var plan = SendPlan()
        if let number = sending.statement {
            var entry = prepared[number] ?? Prepared()
            if entry.state == .absent {
                entry.state = .sent
                plan.endsOpenSegment = endOpenSegment()
                plan.preparesGeneration = entry.generation
                entries.append(.preparation(of: number))
                entries.append(.sync)
                prepared[number] = entry
            }
            plan.generation = entry.generation
        }
        if sending.isShareable {
            entries.append(.statement(sending))
            readsInOpenSegment += 1
            if readsInOpenSegment == Self.readsPerSegmentMax { plan.endsOwnSegment = endOpenSegment() }
        } else {
            if endOpenSegment() { plan.endsOpenSegment = true }
            entries.append(.statement(sending))
            entries.append(.sync)
            plan.endsOwnSegment = true
        }
        statementsInFlight += 1
        return plan
    }

    /// The turn of the loop ended. If true, a sync is to be sent.
    mutating func turnEnded() -> Bool { endOpenSegment() }

    private mutating func endOpenSegment() -> Bool {
        guard readsInOpenSegment > 0 else { return false }
        readsInOpenSegment = 0
        entries.append(.sync)
        return true
    }

    /// libpq gave a reply.
    mutating func received(_ reply: Reply) -> Action {
        guard let first = entries.first else { return .abandonConnection }
        switch first {
        case .preparation(let number): return receivedForPreparation(of: number, reply)
        case .statement(let sending): return receivedForStatement(sending, reply)
        case .answered(let action):
            guard case .end = reply else { return .abandonConnection }
            entries.removeFirst()
            return action
        case .sync: return receivedForSync(reply)
        }
    }

    private mutating func receivedForPreparation(of number: Int, _ reply: Reply) -> Action {
        switch reply {
        case .success, .failure(_, .knownStatement):
            prepared[number]?.state = .ready
            prepared[number]?.failure = nil
        case .failure(let response, _):
            prepared[number]?.state = .absent
            prepared[number]?.failure = response
        case .aborted, .end, .synchronized:
            return .abandonConnection
        }
        entries[0] = .answered(then: .wait)
        return .wait
    }

    private mutating func receivedForStatement(_ sending: Sending, _ reply: Reply) -> Action {
        let action: Action
        switch reply {
        case .success(let response) where sending.isReading:
            action = .finish(sending.query, response)
        case .success(let response):
            uncommitted = (sending.query, response)
            action = .wait
        case .failure(let response, let failure):
            action = actionForFailure(of: sending, response, failure)
        case .aborted:
            // Only reads share a segment, so only reads can be skipped for another's error.
            guard sending.isShareable else { return .abandonConnection }
            action = .resend(again(sending))
        case .end, .synchronized:
            return .abandonConnection
        }
        entries[0] = .answered(then: action)
        statementsInFlight -= 1
        return .wait
    }

    private mutating func actionForFailure(of sending: Sending, _ response: Response, _ failure: Failure) -> Action {
        guard let number = sending.statement, let statement = prepared[number] else {
            return .finish(sending.query, response)
        }
        switch failure {
        case .other, .knownStatement:
            return .finish(sending.query, response)
        case .unknownStatement:
            if let preparationFailure = statement.failure { return .finish(sending.query, preparationFailure) }
        case .stalePlan:
            break
        }
        // If it was `.sent` again meanwhile, then another query met the same error first and saw to it.
        if statement.state == .ready {
            prepared[number]?.state = .absent
            if failure == .stalePlan { prepared[number]?.generation += 1 }
        }
        // As text, which cannot meet the same again: behind a pooler, what is prepared now may be in one session, and
        // the execution in the next.
        var sending = again(sending)
        sending.statement = nil
        return .resend(sending)
    }

    private func again(_ sending: Sending) -> Sending {
        var sending = sending
        sending.resends += 1
        return sending
    }

    private mutating func receivedForSync(_ reply: Reply) -> Action {
        switch reply {
        case .synchronized:
            entries.removeFirst()
            guard let (query, response) = uncommitted else { return .wait }
            uncommitted = nil
            return .finish(query, response)
        case .failure(let response, _):
            didSyncFail = true
            guard let query = uncommitted?.query else { return .wait }
            uncommitted = (query, response)
            return .wait
        case .end where didSyncFail:
            didSyncFail = false
            return .wait
        case .end, .success, .aborted:
            return .abandonConnection
        }
    }

    /// The connection broke.
    ///
    /// - Returns: The statements without an answer, in the order in which they were sent.
    mutating func connectionLost() -> [Sending] {
        var unanswered: [Sending] = []
        if let query = uncommitted?.query {
            unanswered.append(Sending(query: query, statement: nil, isReading: false))
        }
        while let entry = entries.popFirst() {
            switch entry {
            case .statement(let sending), .answered(then: .resend(let sending)): unanswered.append(sending)
            case .answered(then: .finish(let query, _)):
                unanswered.append(Sending(query: query, statement: nil, isReading: false))
            case .answered, .preparation, .sync: break
            }
        }
        uncommitted = nil
        didSyncFail = false
        statementsInFlight = 0
        readsInOpenSegment = 0
        return unanswered
    }

    /// Calls `body` with each statement that waits for its result, oldest first.
    func forEachInFlight(_ body: (Query) -> Void) {
        if let query = uncommitted?.query { body(query) }
        for case .statement(let sending) in entries { body(sending.query) }
    }
}
