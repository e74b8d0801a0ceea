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
/// | connections are refused | tries again for ``HTTPClientConfiguration/connectWindow``, so a restart costs time only |
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
    /// Called when the circuit opens and when it closes.
    public var onCircuitChange: (@ReactorActor (_ isOpen: Bool) -> Void)?

    private var pool: ConnectionPool
    private var breaker: CircuitBreaker
    private var connectors: [ConnectionID: Connector] = [:]
    private var connections: [ClientConnection?]
    private var waiting: [RequestID: HTTPClientExchange] = [:]
    private var lastConnectFailure = ConnectFailure.timedOut
    private var nextRequestNumber: UInt64 = 0
    private var isClosed = false
    private var generator = SystemRandomNumberGenerator()

    /// The only timer: it runs when the earliest deadline of all passes, and is seldom set, because a new request's
    /// deadline is nearly always later than the one it is set for.
    private var sweepTimer: Timer?
    private var sweepDue: ContinuousClock.Instant?

    /// Failures to be told at the end of the turn, so that no callback runs inside ``send(_:deadline:then:)``.
    private var failures: [(HTTPClientExchange, HTTPClientError)] = []
    private var tellFailures: EndOfTurn?

    /// Makes a client without a connection; the first request makes one.
    public init(upstream: Endpoint, configuration: HTTPClientConfiguration = HTTPClientConfiguration()) {
        self.upstream = upstream
        self.configuration = configuration
        pool = ConnectionPool(configuration)
        breaker = CircuitBreaker(configuration.circuitBreaker)
        connections = Array(repeating: nil, count: configuration.connections)
        sweepTimer = Timer { [unowned self] in sweep() }
        tellFailures = EndOfTurn { [unowned self] in reportFailures() }
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
        deadline: ContinuousClock.Instant,
        then done: @escaping @ReactorActor (Result<HTTPClientResponse, HTTPClientError>) -> Void
    ) -> HTTPClientExchange {
        statistics.requests += 1
        let now = Reactor.now
        let refusal: HTTPClientError?
        var isProbe = false
        if isClosed {
            refusal = .cancelled
        } else if deadline <= now {
            refusal = .timedOut(.waiting)
        } else {
            switch breaker.requestArrived(now: now) {
            case .admit:
                refusal = nil
            case .probe:
                refusal = nil
                isProbe = true
            case .refuse(let retryAfter):
                refusal = .circuitOpen(retryAfter: retryAfter)
            }
        }
        let exchange = HTTPClientExchange(request, deadline: deadline, isProbe: isProbe, client: self, done: done)
        if let refusal { fail(exchange, refusal) } else { dispatch(exchange, now: now) }
        return exchange
    }

    /// Sends a request and waits for its response. Cancelling the task is ``HTTPClientExchange/cancel()``.
    public func send(
        _ request: HTTPClientRequest,
        deadline: ContinuousClock.Instant
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
        sweepTimer?.cancel()
        sweepDue = nil
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
    private func dispatch(_ exchange: HTTPClientExchange, now: Instant) {
        nextRequestNumber += 1
        let id = RequestID(number: nextRequestNumber)
        while true {
            let admission = pool.requestArrived(id, deadline: exchange.deadline, isProbe: exchange.isProbe, now: now)
            switch admission {
            case .send(let connectionID):
                let connection = connection(connectionID)
                // The watcher tells of an end only in the next turn. A request that cannot be repeated is worth a
                // system call to know at once.
                guard exchange.request.isIdempotent || connection.isQuiet else {
                    drop(connection)
                    continue
                }
                statistics.reuses += 1
                connection.start(exchange)
            case .wait:
                exchange.place = .waiting(id)
                waiting[id] = exchange
                connectWhereNeeded(now: now)
            case .refuse:
                fail(exchange, .overloaded)
            }
            return scheduleSweep()
        }
    }

    /// Tells the sender at the end of the turn.
    private func fail(_ exchange: HTTPClientExchange, _ error: HTTPClientError) {
        exchange.place = .nowhere
        judge(exchange, error)
        statistics.failures += 1
        failures.append((exchange, error))
        tellFailures?.schedule()
    }

    private func reportFailures() {
        var reported: [(HTTPClientExchange, HTTPClientError)] = []
        swap(&reported, &failures)
        for (exchange, error) in reported { exchange.fail(error) }
    }

    /// The sender does not want the response any more.
    func cancelled(_ exchange: HTTPClientExchange) {
        judge(exchange, .cancelled)
        switch exchange.place {
        case .waiting(let id):
            waiting[id] = nil
            pool.requestCancelled(id)
        case .on(let connection):
            drop(connection)
            connectWhereNeeded(now: Reactor.now)
            scheduleSweep()
        case .nowhere, .ended:
            break
        }
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
            guard let sentAt = exchange.sentAt else { return false }
            let patience = min(configuration.circuitBreaker.leastPatience, configuration.responseHeadTimeout)
            return now - sentAt >= patience
        }
    }
}

// MARK: - Connecting

extension HTTPClient {
    private func connectWhereNeeded(now: Instant) {
        while let id = pool.nextConnect(now: now) {
            statistics.connects += 1
            let limit = configuration.connectTimeout
            let connector = Connector(to: upstream, lookupLimit: limit) { [unowned self] outcome in
                connectors[id] = nil
                switch consume outcome {
                case .connected(let descriptor): connected(id, descriptor)
                case .failed(let failure): connectFailed(id, failure)
                }
            }
            connectors[id] = connector
            connector.start()
        }
    }

    private func connected(_ id: ConnectionID, _ descriptor: consuming FileDescriptor) {
        let connection = ClientConnection(id, descriptor, client: self)
        connections[id.slot] = connection
        use(connection, for: pool.connected(id, now: Reactor.now))
        connectWhereNeeded(now: Reactor.now)
        scheduleSweep()
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

    private func use(_ connection: ClientConnection, for use: ConnectionPool.Use) {
        switch use {
        case .send(let id):
            guard let exchange = waiting.removeValue(forKey: id) else {
                preconditionFailure("the pool forgot a waiter")
            }
            connection.start(exchange)
        case .keep:
            break
        case .close:
            forget(connection.id)
        }
    }

    func responseBegan(_ connection: ClientConnection) {
        pool.responseBegan(connection.id)
        let wasClosed = breaker.isClosed
        breaker.requestSucceeded()
        if !wasClosed { onCircuitChange?(false) }
    }

    func responseEnded(_ connection: ClientConnection, _ exchange: HTTPClientExchange, isReusable: Bool) {
        let now = Reactor.now
        // Before the callback, which may send the next request: it finds the connection idle.
        use(connection, for: pool.released(connection.id, isReusable: isReusable, now: now))
        connectWhereNeeded(now: now)
        scheduleSweep()
        exchange.succeed()
    }

    func responseRefused(_ connection: ClientConnection, _ exchange: HTTPClientExchange, _ error: HTTPClientError) {
        drop(connection)
        fail(exchange, error)
        connectWhereNeeded(now: Reactor.now)
        scheduleSweep()
    }

    /// The connection ended while nothing was asked.
    func connectionEnded(_ connection: ClientConnection) { drop(connection) }

    func connectionLost(_ connection: ClientConnection, _ exchange: HTTPClientExchange, isBeforeFirstByte: Bool) {
        let hasSentBytes = connection.hasSentBytes
        drop(connection)
        if isBeforeFirstByte, !exchange.isRetried, exchange.request.isIdempotent || !hasSentBytes {
            sendAgain(exchange)
        } else {
            fail(exchange, .connectionLost(mayHaveBeenProcessed: hasSentBytes))
        }
        connectWhereNeeded(now: Reactor.now)
        scheduleSweep()
    }

    private func sendAgain(_ exchange: HTTPClientExchange) {
        statistics.retries += 1
        exchange.isRetried = true
        nextRequestNumber += 1
        let id = RequestID(number: nextRequestNumber)
        exchange.place = .waiting(id)
        waiting[id] = exchange
        pool.requestReturned(id, deadline: exchange.deadline, now: Reactor.now)
    }
}

// MARK: - Time

extension HTTPClient {
    private func sweep() {
        sweepDue = nil
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
        connectWhereNeeded(now: Reactor.now)
        scheduleSweep()
    }

    private func scheduleSweep() {
        guard let wakeAt = pool.wakeAt else { return }
        if let sweepDue, sweepDue <= wakeAt { return }
        sweepDue = wakeAt
        sweepTimer?.schedule(at: wakeAt)
    }
}
