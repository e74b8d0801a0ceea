internal import DequeModule
public import Metrics
public import Reactor

/// A client of one upstream: keeps connections to it open and sends requests over them.
///
///     let client = HTTPClient(upstream: try Endpoint(parsing: "127.0.0.1:8000"))
///     let request = HTTPClientRequest(.get, target: "/prices", authority: "api")
///     let response = try await client.send(request, deadline: Reactor.now + .seconds(2))
///
/// What happens when the upstream is in trouble:
///
/// | trouble | what the request meets |
/// |---|---|
/// | a kept connection was closed | it is sent once more on a new one, if it is idempotent or nothing was sent |
/// | connections are refused | waits for ``HTTPClientConfiguration/connectWindow``, so a restart costs time only |
/// | still refused, or several answers overdue | the circuit opens: requests fail at once until one succeeds |
/// | all connections are busy | waits, up to a bound in number and until its deadline |
///
/// A request costs one `send` and one `recv`, no timer and no `epoll_ctl`.
@ReactorActor
public final class HTTPClient {
    /// Who is asked. A name is looked up each time a connection is made.
    public let upstream: Endpoint
    /// The limits.
    public let configuration: HTTPClientConfiguration
    /// What has happened so far.
    public private(set) var statistics = HTTPClientStatistics()
    /// From the request being given to a connection.
    public let latency = Histogram(
        "tickloop_upstream_request_duration_seconds",
        "Time from sending a request to the last byte of its response."
    )
    /// Called when the circuit opens and when it closes, for a log line or a metric; it must not call the client.
    public var onCircuitChange: (@ReactorActor (_ isOpen: Bool) -> Void)?

    private var pool: ConnectionPool
    private var breaker: CircuitBreaker
    private var retries: RetryBudget
    private var connectors: [ConnectionID: Connector] = [:]
    private var connections: [ClientConnection?]
    private var waiting: [RequestID: HTTPClientExchange] = [:]
    private var lastConnectFailure = ConnectFailure.timedOut
    private var isClosed = false
    private var generator = SystemRandomNumberGenerator()

    /// The only timer.
    private var sweeps: DeadlineTimer?

    /// What is told at the end of the turn, so that no callback runs inside a call of the client.
    private var failures: [(HTTPClientExchange, HTTPClientError)] = []
    private var bodiesWanted: [HTTPClientExchange] = []
    private var notices: EndOfTurn?
    /// Connections that got a request and have not sent it. They send one after the other, after a few events or at the
    /// end of the turn: what a `send` leaves in the caches is of use to the next one, and throws out what every other
    /// step wants.
    private var started: Deque<ClientConnection> = []
    private var sends: EndOfTurn?

    /// Makes a client without a connection; the first request makes one.
    public init(upstream: Endpoint, configuration: HTTPClientConfiguration = HTTPClientConfiguration()) {
        self.upstream = upstream
        self.configuration = configuration
        pool = ConnectionPool(configuration)
        breaker = CircuitBreaker(configuration.circuitBreaker)
        retries = RetryBudget(connections: configuration.connections)
        connections = Array(repeating: nil, count: configuration.connections)
        sweeps = DeadlineTimer { [unowned self] in sweep() }
        notices = EndOfTurn { [unowned self] in giveNotice() }
        sends = EndOfTurn(isEarly: true) { [unowned self] in sendStarted() }
    }

    /// Sends a request.
    ///
    /// - Parameters:
    ///   - deadline: When the sender stops waiting for the complete response.
    ///   - done: Called exactly once, on the loop, never before this call returns; not after
    ///     ``HTTPClientExchange/cancel()``.
    /// - Returns: The means to cancel it, which need not be kept.
    @discardableResult
    public func send(
        _ request: HTTPClientRequest,
        deadline: Instant,
        then done: @escaping @ReactorActor (Result<HTTPClientResponse, HTTPClientError>) -> Void
    ) -> HTTPClientExchange {
        admit(request, deadline, silence: nil, isOpened: false, done)
    }

    /// Sends a request and takes its response when that has begun; the rest is then read as its body.
    ///
    /// - Parameters:
    ///   - deadline: When the response must have begun. It is put off while the request's own body is waited for.
    ///   - silence: How long nothing may move once the response has begun, while somebody reads it: a body that makes
    ///     progress may take as long as it needs. nil: all of it must be there by `deadline`.
    ///   - begun: Called on the loop, never before this call returns, and not after ``HTTPClientExchange/cancel()``:
    ///     exactly once, after the interim responses if those are wanted. ``HTTPClientError/cancelled`` if the
    ///     request's own body broke off.
    @discardableResult
    public func open(
        _ request: HTTPClientRequest,
        deadline: Instant,
        silence: Duration?,
        then begun: @escaping @ReactorActor (Result<HTTPClientResponse, HTTPClientError>) -> Void
    ) -> HTTPClientExchange {
        admit(request, deadline, silence: silence, isOpened: true, begun)
    }

    /// Sends a request and waits for its response. Cancelling the task is ``HTTPClientExchange/cancel()``.
    public func send(
        _ request: HTTPClientRequest,
        deadline: Instant
    ) async throws(HTTPClientError) -> HTTPClientResponse {
        let promise = Promise<HTTPClientResponse, HTTPClientError>()
        let exchange = send(request, deadline: deadline) { promise.settle($0) }
        let result = await withTaskCancellationHandler {
            await promise.result
        } onCancel: {
            Reactor.post {
                exchange.cancel()
                promise.fail(.cancelled)
            }
        }
        return try result.get()
    }

    /// Closes every connection; requests under way and later ones fail with ``HTTPClientError/cancelled``.
    public func close() {
        isClosed = true
        for connector in connectors.values { connector.stop() }
        connectors = [:]
        for case let connection? in connections {
            if let exchange = connection.exchange { fail(exchange, .cancelled) }
            connection.close()
        }
        connections = Array(repeating: nil, count: configuration.connections)
        for exchange in waiting.values { fail(exchange, .cancelled) }
        waiting = [:]
        pool = ConnectionPool(configuration)
        sweeps?.cancel()
    }

    /// Whether requests are let through to the upstream.
    public var circuit: CircuitState { breaker.circuit(now: Reactor.now) }

    /// Connections and waiting requests at this moment.
    public var load: HTTPClientLoad {
        HTTPClientLoad(
            connecting: pool.connectingCount,
            idle: pool.idleCount,
            busy: pool.busyCount,
            waiting: pool.waiterCount
        )
    }
}

// MARK: - Requests

extension HTTPClient {
    private func admit(
        _ request: HTTPClientRequest,
        _ deadline: Instant,
        silence: Duration?,
        isOpened: Bool,
        _ done: @escaping @ReactorActor (Result<HTTPClientResponse, HTTPClientError>) -> Void
    ) -> HTTPClientExchange {
        statistics.requests += 1
        let now = Reactor.now
        var refusal: HTTPClientError?
        var isProbe = false
        if isClosed {
            refusal = .cancelled
        } else if deadline <= now {
            refusal = .timedOut(.waiting)
        } else if !breaker.isClosed {
            switch breaker.requestArrived(now: now) {
            case .admit: break
            case .probe: isProbe = true
            case .refuse where request.insists: break
            case .refuse(let retryAfter): refusal = .circuitOpen(retryAfter: retryAfter)
            }
        }
        let exchange = HTTPClientExchange(
            request,
            deadline: deadline,
            silence: silence,
            isOpened: isOpened,
            isProbe: isProbe,
            client: self,
            done
        )
        if let refusal { fail(exchange, refusal) } else { dispatch(exchange, now) }
        return exchange
    }

    private func dispatch(_ exchange: HTTPClientExchange, _ now: Instant) {
        while true {
            switch pool.requestArrived(deadline: exchange.deadline, isProbe: exchange.isProbe, now: now) {
            case .send(let id):
                let connection = connection(id)
                // The watcher tells of an end only in the next turn. A request that cannot be repeated is worth a
                // system call to know at once.
                guard exchange.isIdempotent || connection.isQuiet else {
                    drop(connection)
                    continue
                }
                statistics.reuses += 1
                start(exchange, on: connection, now)
            case .wait(let id):
                statistics.waits += 1
                wait(exchange, id)
                connectWhereNeeded(now)
            case .refuse:
                fail(exchange, .overloaded)
            }
            return armSweep()
        }
    }

    private func start(_ exchange: HTTPClientExchange, on connection: ClientConnection, _ now: Instant) {
        exchange.sentAt = now
        retries.requestSent()
        connection.start(exchange)
    }

    private func wait(_ exchange: HTTPClientExchange, _ id: RequestID) {
        exchange.place = .waiting(id)
        waiting[id] = exchange
    }

    /// Tells the sender at the end of the turn.
    private func fail(_ exchange: HTTPClientExchange, _ error: HTTPClientError) {
        exchange.place = .nowhere
        judge(exchange, error)
        statistics.failuresByKind[error.kind, default: 0] += 1
        failures.append((exchange, error))
        notices?.schedule()
    }

    /// Asks for more of a request's body at the end of the turn.
    func bodyWanted(_ exchange: HTTPClientExchange) {
        bodiesWanted.append(exchange)
        notices?.schedule()
    }

    private func giveNotice() {
        var failed: [(HTTPClientExchange, HTTPClientError)] = []
        var wanted: [HTTPClientExchange] = []
        swap(&failed, &failures)
        swap(&wanted, &bodiesWanted)
        for (exchange, error) in failed { exchange.fail(error) }
        for exchange in wanted { exchange.pull() }
    }

    func deadlineMoved(_ connection: ClientConnection, _ exchange: HTTPClientExchange) {
        pool.deadlineMoved(connection.id, to: exchange.deadline)
        armSweep()
    }

    /// The sender does not want the response any more.
    func cancelled(_ exchange: HTTPClientExchange) {
        switch exchange.place {
        case .waiting(let id):
            waiting[id] = nil
            pool.requestCancelled(id)
        case .on(let connection):
            drop(connection)
        case .nowhere, .ended:
            return
        }
        judge(exchange, .cancelled)
        proceed()
    }

    /// What a failure says about the upstream.
    private func judge(_ exchange: HTTPClientExchange, _ error: HTTPClientError) {
        let now = Reactor.now
        let wasClosed = breaker.isClosed
        switch error {
        case .unreachable:
            breaker.upstreamBecameUnreachable(now: now, using: &generator)
        case .timedOut(let phase) where exchange.isProbe || blamesUpstream(exchange, phase, now):
            breaker.requestFailed(wasProbe: exchange.isProbe, now: now, using: &generator)
        case .connectionLost, .malformedResponse, .responseTooLarge:
            guard exchange.isProbe else { break }
            breaker.requestFailed(wasProbe: true, now: now, using: &generator)
        case .overloaded, .cancelled:
            guard exchange.isProbe else { break }
            breaker.probeAbandoned(now: now)
        case .timedOut, .circuitOpen:
            break
        }
        if wasClosed, !breaker.isClosed { onCircuitChange?(true) }
    }

    private func blamesUpstream(_ exchange: HTTPClientExchange, _ phase: HTTPClientError.Phase, _ now: Instant) -> Bool
    {
        switch phase {
        case .waiting, .responseBody: return false
        case .connecting: return pool.isOutage
        case .responseHead:
            let patience = min(configuration.circuitBreaker.leastPatience, configuration.responseHeadTimeout)
            return now - exchange.sentAt >= patience
        }
    }
}

// MARK: - Connecting

extension HTTPClient {
    private func connectWhereNeeded(_ now: Instant) {
        while let id = pool.nextConnect(now: now) {
            statistics.connects += 1
            let limit = configuration.connectTimeout
            let connector = Connector(to: upstream, tls: configuration.tls, lookupLimit: limit) {
                [unowned self] outcome in
                connectors[id] = nil
                switch consume outcome {
                case .connected(let stream): connected(id, stream)
                case .failed(let failure): connectFailed(id, failure)
                }
            }
            connectors[id] = connector
            connector.start()
        }
    }

    private func connected(_ id: ConnectionID, _ stream: consuming ByteStream) {
        let connection = ClientConnection(id, stream, client: self)
        connections[id.slot] = connection
        let now = Reactor.now
        use(connection, for: pool.connected(id, now: now), now)
        proceed()
    }

    private func connectFailed(_ id: ConnectionID, _ failure: ConnectFailure) {
        statistics.connectFailures += 1
        lastConnectFailure = failure
        pool.connectFailed(id, now: Reactor.now, using: &generator)
        sweep()
    }
}

// MARK: - Connections

extension HTTPClient {
    private func connection(_ id: ConnectionID) -> ClientConnection {
        guard let connection = connections[id.slot] else {
            preconditionFailure("the pool knows a connection that is gone")
        }
        return connection
    }

    /// Closes a connection that the pool still counts.
    private func drop(_ connection: ClientConnection) {
        pool.connectionEnded(connection.id)
        forget(connection.id)
    }

    /// Closes a connection that the pool does not count any more.
    private func forget(_ id: ConnectionID) {
        connections[id.slot].take()?.close()
    }

    /// Has the request of `connection` sent at the end of this turn at the latest.
    func started(_ connection: ClientConnection) {
        started.append(connection)
        sends?.schedule()
    }

    private func sendStarted() {
        for _ in 0..<started.count { started.removeFirst().write() }
    }

    private func use(_ connection: ClientConnection, for use: ConnectionPool.Use, _ now: Instant) {
        switch use {
        case .send(let id):
            guard let exchange = waiting.removeValue(forKey: id) else {
                preconditionFailure("the pool forgot a waiter")
            }
            start(exchange, on: connection, now)
        case .keep:
            break
        case .close:
            forget(connection.id)
        }
    }

    func responseBegan(_ connection: ClientConnection) {
        pool.responseBegan(connection.id)
        guard !breaker.isUntroubled else { return }
        let wasClosed = breaker.isClosed
        breaker.requestSucceeded()
        if !wasClosed { onCircuitChange?(false) }
    }

    func responseEnded(_ connection: ClientConnection, _ exchange: HTTPClientExchange, isReusable: Bool) {
        let now = Reactor.now
        latency.observe(now - exchange.sentAt)
        let use = pool.released(connection.id, isReusable: isReusable, now: now)
        // Before the callback, which may send the next request: it finds the connection idle.
        self.use(connection, for: use, now)
        if use == .close { connectWhereNeeded(now) }
        armSweep()
        exchange.succeed()
    }

    func responseRefused(_ connection: ClientConnection, _ exchange: HTTPClientExchange, _ error: HTTPClientError) {
        drop(connection)
        fail(exchange, error)
        proceed()
    }

    /// The connection ended while nothing was asked.
    func connectionEnded(_ connection: ClientConnection) { drop(connection) }

    func connectionLost(_ connection: ClientConnection, _ exchange: HTTPClientExchange, isBeforeFirstByte: Bool) {
        drop(connection)
        if isBeforeFirstByte, exchange.mayBeSentAgain, !exchange.hasSentBytes || retries.take() {
            statistics.retries += 1
            exchange.isRetried = true
            exchange.rewind()
            wait(exchange, pool.requestReturned(deadline: exchange.deadline, now: Reactor.now))
        } else {
            fail(exchange, .connectionLost(mayHaveBeenProcessed: exchange.hasSentBytes))
        }
        proceed()
    }
}

// MARK: - Time

extension HTTPClient {
    private func sweep() {
        for expiry in pool.sweep(now: Reactor.now, using: &generator) {
            switch expiry {
            case .closeIdle(let id):
                forget(id)
            case .stopConnecting(let id):
                statistics.connectFailures += 1
                lastConnectFailure = .timedOut
                connectors.removeValue(forKey: id)?.stop()
            case .requestTimedOut(let id, let phase):
                let exchange = connection(id).exchange
                forget(id)
                if let exchange { fail(exchange, .timedOut(phase)) }
            case .waiterTimedOut(let id, let phase):
                if let exchange = waiting.removeValue(forKey: id) { fail(exchange, .timedOut(phase)) }
            case .waiterGaveUp(let id):
                if let exchange = waiting.removeValue(forKey: id) { fail(exchange, .unreachable(lastConnectFailure)) }
            }
        }
        proceed()
    }

    /// Does what has become possible or due.
    private func proceed() {
        connectWhereNeeded(Reactor.now)
        armSweep()
    }

    private func armSweep() {
        if pool.wakeAt < .distantFuture { sweeps?.fire(noLaterThan: pool.wakeAt) }
    }
}
