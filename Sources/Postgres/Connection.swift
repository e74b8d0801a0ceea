internal import Reactor

/// An open connection: libpq's socket on the loop, and ``Pipeline`` to say what each reply means.
///
/// It is in pipeline mode, and leaves it for one ``SimpleScript`` at a time. Whatever goes wrong with the connection as
/// such ends in one place, ``lose(_:)``, after which it is closed and of no more use.
@ReactorActor
final class Connection {
    /// Why the connection is no more.
    enum Loss: String {
        case closedByPeer = "closed by the server"
        case silent = "no answer within the statement timeout"
        case confused = "unexpected reply"
        case unsendable = "libpq refused to send"
        case timedOut = "an exclusive operation took too long"
        case closed = "closed by us"
    }

    /// Called once, with the statements that have no answer. Nobody else tells their callers.
    var onLoss: (Loss, [PendingQuery]) -> Void = { _, _ in }
    /// Called after replies were handled; there may be room for more statements.
    var onProgress: () -> Void = {}

    /// Whether the server has answered anything on this connection.
    private(set) var hasAnswered = false

    /// Nil once the connection is lost.
    private var libpq: Libpq?
    private var watcher: IOWatcher?
    private var pipeline = Pipeline<PendingQuery, PostgresOutcome>()
    private var script: SimpleScript?
    /// Of the statements that were prepared anew because they were stale.
    private var renewedNames: [Int: (generation: Int, name: String)] = [:]
    private let silenceMax: Duration?
    private var lastReplyAt: Instant
    /// libpq refused to send. Noticed in the middle of a caller's call, acted upon at the end of the turn.
    private var isUnsendable = false

    private var deadlines: DeadlineTimer?
    private var output: EndOfTurn?

    /// Takes over a connection that has just been made.
    ///
    /// - Parameter silenceMax: The longest time without a reply while one is due; nil for no bound.
    init(_ libpq: Libpq, silenceMax: Duration?) {
        self.libpq = libpq
        self.silenceMax = silenceMax
        lastReplyAt = Reactor.now
        output = EndOfTurn { [unowned self] in endTurn() }
        deadlines = DeadlineTimer { [unowned self] in deadlineCame() }
        guard libpq.enterPipelineMode(), let descriptor = libpq.descriptor else {
            isUnsendable = true
            output?.schedule()
            return
        }
        watcher = IOWatcher(descriptor: descriptor, for: .read) { [unowned self] in ready($0) }
    }

    /// Whether it can be used.
    var isOpen: Bool { libpq != nil }

    /// Whether a pooler stands between us and the server.
    ///
    /// It hands a session on when everything that it has seen the end of is answered. If by then it has passed on the
    /// first bytes of what is pipelined behind, their answer is somebody else's (seen with PgBouncer 1.18). So one
    /// statement is under way at a time, and as text: what is prepared may be in another session.
    private var isBehindPooler: Bool { libpq?.isBehindPooler ?? false }

    /// Statements whose answer is due.
    var load: Int { isBehindPooler && !isIdle ? max(1, pipeline.statementsInFlight) : pipeline.statementsInFlight }

    /// Whether it takes another statement, when `most` may be in flight on a connection that is one's own.
    func hasRoom(most: Int) -> Bool { load < (isBehindPooler ? 1 : most) }

    /// Whether nothing is under way.
    var isIdle: Bool { pipeline.isEmpty && script == nil }

    /// Whether no transaction block is open. To be asked while idle.
    var isOutsideTransaction: Bool { libpq?.isOutsideTransaction ?? false }

    /// The number of the server process at the other end.
    var serverProcess: CInt? { libpq?.serverProcess }

    /// Closes at once; what is unanswered goes to ``onLoss``.
    func close() { lose(.closed) }

    // MARK: Sending

    /// Sends a statement, together with the turn's others, at the end of the turn.
    func submit(_ query: PendingQuery) {
        guard isOpen else { return query.finish(.failure(.unavailable)) }
        precondition(script == nil, "a session takes one call at a time")
        if pipeline.isEmpty { lastReplyAt = Reactor.now }
        var statement: Int?
        if case .prepared(let prepared) = query.text, !isBehindPooler { statement = prepared.number }
        send(.init(query: query, statement: statement, isReading: query.isReading))
        deadlines?.fire(noLaterThan: query.deadline)
        if let silenceMax { deadlines?.fire(noLaterThan: lastReplyAt + silenceMax) }
    }

    private func send(_ sending: Pipeline<PendingQuery, PostgresOutcome>.Sending) {
        guard let libpq else { return }
        let plan = pipeline.submitted(sending)
        var isSent = true
        if plan.endsOpenSegment { isSent = libpq.sync() }
        switch sending.query.text {
        case .commented(let statement, let comment):
            isSent = isSent && libpq.execute("\(statement.sql) \(comment)", sending.query.parameters)
        case .plain(let sql):
            isSent = isSent && libpq.execute(sql, sending.query.parameters)
        case .prepared(let statement):
            guard let generation = plan.generation else {
                isSent = isSent && libpq.execute(statement.sql, sending.query.parameters)
                break
            }
            let name = name(of: statement, generation: generation)
            if plan.preparesGeneration != nil {
                isSent = isSent && libpq.prepare(name, statement.sql) && libpq.sync()
            }
            isSent = isSent && libpq.execute(prepared: name, sending.query.parameters)
        }
        if plan.endsOwnSegment { isSent = isSent && libpq.sync() }
        if !isSent { isUnsendable = true }
        output?.schedule()
    }

    private func name(of statement: PostgresStatement, generation: Int) -> String {
        if generation == 1 { return statement.name }
        if let known = renewedNames[statement.number], known.generation == generation { return known.name }
        // Drawn by lot: one that somebody else made may be stale as well.
        let name = "\(statement.name)_\(String(UInt64.random(in: 0 ... .max), radix: 16))"
        renewedNames[statement.number] = (generation, name)
        return name
    }

    private func endTurn() {
        guard let libpq else { return }
        if isUnsendable { return lose(.unsendable) }
        if pipeline.turnEnded(), !libpq.sync() { return lose(.unsendable) }
        flush()
    }

    private func flush() {
        switch libpq?.flush() {
        case .done:
            watcher?.watch(for: .read)
            script?.outputDrained()
        case .pending:
            watcher?.watch(for: [.read, .write])
        case .failed:
            lose(.closedByPeer)
        case nil:
            break
        }
    }

    // MARK: Receiving

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.write) { flush() }
        guard readiness.contains(.read), let libpq else { return }
        guard libpq.consumeInput() else { return lose(.closedByPeer) }
        lastReplyAt = Reactor.now
        handleReplies()
    }

    private func handleReplies() {
        // Once libpq has refused something, its account of what is in flight and ours differ.
        while let libpq, awaitsReply, !isUnsendable, !libpq.isBusy { handle(libpq.nextReply()) }
        // Whatever was called may have closed the connection.
        guard let libpq, !isUnsendable else { return }
        if !awaitsReply {
            // Lets libpq parse what comes unasked: notices, and the goodbye of a server that shuts down.
            _ = libpq.isBusy
            guard libpq.isAlive else { return lose(.closedByPeer) }
        }
        startQueuedScript()
        onProgress()
    }

    private var awaitsReply: Bool {
        // While copying, libpq answers "copying" over and over again.
        if let script, script.phase != .queued { script.phase == .running } else { !pipeline.isEmpty }
    }

    private func handle(_ reply: Libpq.Reply) {
        hasAnswered = true
        if case .failure(let error) = reply, error.endsConnection { return lose(.closedByPeer) }
        if let script, script.phase != .queued { return handle(reply, for: script) }
        let action =
            switch reply {
            case .success(let result): pipeline.received(.success(.success(result)))
            case .failure(let error): pipeline.received(.failure(.failure(.server(error)), kind(of: error)))
            case .end: pipeline.received(.end)
            case .aborted: pipeline.received(.aborted)
            case .synchronized: pipeline.received(.synchronized)
            case .copyIn, .unusable: Pipeline<PendingQuery, PostgresOutcome>.Action.abandonConnection
            }
        switch action {
        case .wait: break
        case .finish(let query, let outcome): query.finish(outcome)
        case .resend(let sending):
            if sending.query.isAwaited { send(sending) }
        case .abandonConnection: lose(.confused)
        }
    }

    private func kind(of error: PostgresServerError) -> Pipeline<PendingQuery, PostgresOutcome>.Failure {
        switch error.sqlState {
        case .undefinedStatement: .unknownStatement
        case .duplicateStatement: .knownStatement
        case .featureNotSupported: .stalePlan
        default: .other
        }
    }

    // MARK: Deadlines

    private func deadlineCame() {
        let now = Reactor.now
        var overdue: [PendingQuery] = []
        pipeline.forEachInFlight { query in
            guard query.isAwaited else { return }
            if query.deadline <= now { overdue.append(query) } else { deadlines?.fire(noLaterThan: query.deadline) }
        }
        for query in overdue { query.finish(.failure(.timedOut(wasSent: true))) }
        if let script {
            guard script.deadline > now else { return lose(.timedOut) }
            deadlines?.fire(noLaterThan: script.deadline)
        }
        if let silenceMax, !pipeline.isEmpty {
            guard lastReplyAt + silenceMax > now else { return lose(.silent) }
            deadlines?.fire(noLaterThan: lastReplyAt + silenceMax)
        }
    }

    // MARK: The end

    /// Closes the connection and hands back what has no answer.
    private func lose(_ loss: Loss) {
        guard libpq != nil else { return }
        // In this order: nothing watches the descriptor any more when libpq closes it.
        watcher = nil
        libpq = nil
        output?.cancel()
        deadlines?.cancel()
        let unanswered = pipeline.connectionLost().map(\.query)
        let script = self.script
        self.script = nil
        onLoss(loss, unanswered)
        script?.finish(loss == .timedOut ? .timedOut(wasSent: true) : .connectionLost)
    }
}

// MARK: - Simple protocol

extension Connection {
    /// Begins a script when everything that was sent before is answered. One at a time.
    func begin(_ script: SimpleScript) {
        guard isOpen else { return script.finish(.unavailable) }
        precondition(self.script == nil, "a session takes one call at a time")
        self.script = script
        deadlines?.fire(noLaterThan: script.deadline)
        startQueuedScript()
    }

    private func startQueuedScript() {
        guard let script, script.phase == .queued, pipeline.isEmpty, let libpq else { return }
        script.phase = .running
        guard libpq.exitPipelineMode(), libpq.send(script.sql) else { return lose(.unsendable) }
        output?.schedule()
    }

    private func handle(_ reply: Libpq.Reply, for script: SimpleScript) {
        switch reply {
        case .success(let result):
            script.received(result)
        case .failure(let error):
            script.failed(error)
        case .copyIn where script.isCopy:
            script.beginCopying()
        case .copyIn:
            // Somebody's script contains a COPY without data: let the server refuse it.
            if libpq?.putCopyEnd(failing: "no data") != true { lose(.unsendable) }
        case .end:
            self.script = nil
            guard libpq?.enterPipelineMode() == true else { return lose(.unsendable) }
            script.finish()
        case .aborted, .synchronized, .unusable:
            lose(.confused)
        }
    }

    /// Sends rows of the running `COPY`.
    ///
    /// - Parameter then: Called once, when the socket has taken them, or the connection is lost.
    func copy(_ bytes: [UInt8], then body: @escaping @ReactorActor () -> Void) {
        guard let libpq, let script, script.phase == .copying else { return body() }
        guard libpq.putCopy(bytes) else {
            lose(.unsendable)
            return body()
        }
        script.waitUntilDrained(body)
        flush()
    }

    /// Ends the rows of the running `COPY`; the script's completion tells what the server made of them.
    func endCopy(failing reason: String?) {
        guard let libpq, let script, script.phase == .copying else { return }
        script.phase = .running
        guard libpq.putCopyEnd(failing: reason) else { return lose(.unsendable) }
        output?.schedule()
    }
}
