internal import DequeModule
internal import Reactor

/// A connection as the pool knows it. The number is used again when the connection is gone.
struct ConnectionID: Hashable, Sendable {
    let slot: Int
}

/// A request as the pool knows it.
struct RequestID: Hashable, Sendable {
    let number: UInt64
}

/// A request that waits for a connection.
struct Waiter: Equatable {
    let id: RequestID
    /// When its sender stops waiting for the response.
    let deadline: Instant
    /// Until when it waits while no connection can be made.
    let unreachableAfter: Instant
    /// Whether it was sent before in vain, and must not go out on a connection that was there then.
    let needsFreshConnection: Bool
}

/// Decides which request goes out on which connection, when to connect, and when to give up.
///
///     vacant ──connect──▶ connecting ──connected──▶ busy ◀──request── idle
///        ▲                    │                      │ └──released──▶  │
///        └───── failed ───────┴──── ended, timed out ┴─── too old ─────┘
///
/// It knows numbers and times only: no socket, no clock. Its owner tells it what happened and does what it answers;
/// after each event the owner asks ``nextConnect(now:)`` until that is nil, and calls ``sweep(now:using:)`` at
/// ``wakeAt``.
struct ConnectionPool: ~Copyable {
    /// Where a request that arrived goes.
    enum Admission: Equatable {
        case send(on: ConnectionID)
        case wait(RequestID)
        /// Too many wait already.
        case refuse
    }

    /// What a free connection is used for.
    enum Use: Equatable {
        case send(RequestID)
        case keep
        case close
    }

    /// What has run out of time. Connections named here are vacant already.
    enum Expiry: Equatable {
        case closeIdle(ConnectionID)
        case stopConnecting(ConnectionID)
        case requestTimedOut(ConnectionID, HTTPClientError.Phase)
        case waiterTimedOut(RequestID, HTTPClientError.Phase)
        case waiterGaveUp(RequestID)
    }

    private enum Slot {
        case vacant
        case connecting(since: Instant)
        case idle(since: Instant, born: Instant)
        /// `headDue` is nil once the head of the response has come.
        case busy(headDue: Instant?, deadline: Instant, born: Instant)
    }

    /// The time in which attempts to connect fail. One is made at a time, because many would not fare better.
    private struct Outage {
        var backoff = Backoff(first: .milliseconds(10), cap: .milliseconds(100))
        var retryAt: Instant
    }

    private let configuration: HTTPClientConfiguration
    private var slots: [Slot]
    private var vacant: [Int]
    /// Idle connections, the one used last at the end. That one is taken, so that those not needed grow old.
    private var idle: [Int] = []
    /// First come, first served.
    private var waiters = Deque<Waiter>()
    private var connecting = 0
    private var outage: Outage?

    private var lastRequestNumber: UInt64 = 0

    /// When ``sweep(now:using:)`` has something to do; never late, perhaps early, ``Instant/distantFuture`` if nothing.
    private(set) var wakeAt = Instant.distantFuture

    init(_ configuration: HTTPClientConfiguration) {
        precondition(configuration.connections > 0, "nothing can be sent without a connection")
        precondition(configuration.waitingRequests > 0, "the first request waits while a connection is made")
        self.configuration = configuration
        slots = Array(repeating: .vacant, count: configuration.connections)
        vacant = Array((0..<configuration.connections).reversed())
    }

    // MARK: What is there

    var connectingCount: Int { connecting }
    var idleCount: Int { idle.count }
    var busyCount: Int { slots.count - vacant.count - idle.count - connecting }
    var waiterCount: Int { waiters.count }
    /// Whether the last attempt to connect failed and nothing has gone well since.
    var isOutage: Bool { outage != nil }
}

// MARK: - Requests

extension ConnectionPool {
    /// - Parameter isProbe: It decides about all, so it does not wait for a retry and fails with the first attempt.
    mutating func requestArrived(deadline: Instant, isProbe: Bool, now: Instant) -> Admission {
        if let slot = idle.popLast() {
            guard case .idle(_, let born) = slots[slot] else { preconditionFailure("listed as idle") }
            occupy(slot, deadline: deadline, born: born, now: now)
            return .send(on: ConnectionID(slot: slot))
        }
        guard waiters.count < configuration.waitingRequests else { return .refuse }
        if isProbe { outage?.retryAt = now }
        let unreachableAfter = isProbe ? now : now + configuration.connectWindow
        return .wait(enqueue(deadline: deadline, unreachableAfter: unreachableAfter, isFirst: false))
    }

    /// A request is to be sent once more, because its connection was closed before any byte of a response.
    ///
    /// It goes out first, on a new connection: the other idle ones have probably been closed as well.
    mutating func requestReturned(deadline: Instant, now: Instant) -> RequestID {
        enqueue(deadline: deadline, unreachableAfter: now + configuration.connectWindow, isFirst: true)
    }

    /// A waiting request is not wanted any more.
    mutating func requestCancelled(_ id: RequestID) { waiters.removeAll { $0.id == id } }

    private mutating func enqueue(deadline: Instant, unreachableAfter: Instant, isFirst: Bool) -> RequestID {
        lastRequestNumber += 1
        let id = RequestID(number: lastRequestNumber)
        let waiter = Waiter(
            id: id,
            deadline: deadline,
            unreachableAfter: unreachableAfter,
            needsFreshConnection: isFirst
        )
        if isFirst { waiters.prepend(waiter) } else { waiters.append(waiter) }
        wake(at: deadline)
        if outage != nil { wake(at: unreachableAfter) }
        return id
    }
}

// MARK: - Connections

extension ConnectionPool {
    /// The next connection to be made now, if any; asked until it is nil.
    mutating func nextConnect(now: Instant) -> ConnectionID? {
        guard waiters.count > connecting, !vacant.isEmpty else { return nil }
        if let outage {
            guard connecting == 0 else { return nil }
            guard outage.retryAt <= now else {
                wake(at: outage.retryAt)
                return nil
            }
        }
        let slot = vacant.removeLast()
        slots[slot] = .connecting(since: now)
        connecting += 1
        wake(at: now + configuration.connectTimeout)
        return ConnectionID(slot: slot)
    }

    mutating func connected(_ id: ConnectionID, now: Instant) -> Use {
        guard case .connecting = slots[id.slot] else { preconditionFailure("connected without an attempt") }
        connecting -= 1
        slots[id.slot] = .idle(since: now, born: now)
        outage = nil
        guard let waiter = waiters.popFirst() else { return rest(id, born: now, now: now) }
        occupy(id.slot, deadline: waiter.deadline, born: now, now: now)
        return .send(waiter.id)
    }

    /// An attempt failed at once. Those that gave up are in the next sweep, which is due now.
    mutating func connectFailed(_ id: ConnectionID, now: Instant, using generator: inout some RandomNumberGenerator) {
        guard case .connecting = slots[id.slot] else { preconditionFailure("failed without an attempt") }
        vacate(id.slot)
        beginOutage(now, &generator)
        wake(at: now)
    }

    /// The head of the response came: from now on only the request's own deadline counts.
    mutating func responseBegan(_ id: ConnectionID) {
        guard case .busy(_, let deadline, let born) = slots[id.slot] else { preconditionFailure("nobody asked") }
        slots[id.slot] = .busy(headDue: nil, deadline: deadline, born: born)
        wake(at: deadline)
    }

    /// The sender knows better until when to wait, for the head too: it may still be sending its request.
    mutating func deadlineMoved(_ id: ConnectionID, to deadline: Instant) {
        guard case .busy(let headDue, _, let born) = slots[id.slot] else { preconditionFailure("nobody asked") }
        slots[id.slot] = .busy(headDue: headDue.map { _ in deadline }, deadline: deadline, born: born)
        wake(at: deadline)
    }

    /// The response is complete.
    ///
    /// - Parameter isReusable: Whether both sides are willing to go on, and know where the next message begins.
    mutating func released(_ id: ConnectionID, isReusable: Bool, now: Instant) -> Use {
        guard case .busy(_, _, let born) = slots[id.slot] else { preconditionFailure("released while not in use") }
        outage = nil
        guard isReusable, now - born < configuration.connectionAge else {
            vacate(id.slot)
            return .close
        }
        guard let place = waiters.firstIndex(where: { !$0.needsFreshConnection }) else {
            return rest(id, born: born, now: now)
        }
        let waiter = waiters.remove(at: place)
        occupy(id.slot, deadline: waiter.deadline, born: born, now: now)
        return .send(waiter.id)
    }

    /// A connection is gone, whatever it was doing: closed by the upstream, or given up with its request.
    mutating func connectionEnded(_ id: ConnectionID) {
        if case .idle = slots[id.slot] { idle.removeAll { $0 == id.slot } }
        vacate(id.slot)
    }

    private mutating func occupy(_ slot: Int, deadline: Instant, born: Instant, now: Instant) {
        let headDue = min(deadline, now + configuration.responseHeadTimeout)
        slots[slot] = .busy(headDue: headDue, deadline: deadline, born: born)
        wake(at: headDue)
    }

    private mutating func rest(_ id: ConnectionID, born: Instant, now: Instant) -> Use {
        guard idle.count < configuration.idleConnections else {
            vacate(id.slot)
            return .close
        }
        slots[id.slot] = .idle(since: now, born: born)
        idle.append(id.slot)
        wake(at: now + configuration.idleTimeout)
        return .keep
    }

    private mutating func vacate(_ slot: Int) {
        switch slots[slot] {
        case .vacant: preconditionFailure("a connection ends once")
        case .connecting: connecting -= 1
        case .idle, .busy: break
        }
        slots[slot] = .vacant
        vacant.append(slot)
    }

    private mutating func beginOutage(_ now: Instant, _ generator: inout some RandomNumberGenerator) {
        var current = outage ?? Outage(retryAt: now)
        current.retryAt = now + current.backoff.next(using: &generator)
        outage = current
    }
}

// MARK: - Time

extension ConnectionPool {
    /// Takes out what has run out of time, and finds the next ``wakeAt``.
    ///
    /// - Complexity: O(connections + waiting requests); it runs when a deadline passes, not for each request.
    mutating func sweep(now: Instant, using generator: inout some RandomNumberGenerator) -> [Expiry] {
        wakeAt = Instant.distantFuture
        var expired: [Expiry] = []
        for slot in slots.indices { sweep(slot, now, &generator, &expired) }
        sweepWaiters(now, &expired)
        return expired
    }

    private mutating func sweep(
        _ slot: Int,
        _ now: Instant,
        _ generator: inout some RandomNumberGenerator,
        _ expired: inout [Expiry]
    ) {
        let id = ConnectionID(slot: slot)
        switch slots[slot] {
        case .vacant:
            break
        case .connecting(let since):
            guard isPast(since + configuration.connectTimeout, now) else { break }
            vacate(slot)
            beginOutage(now, &generator)
            expired.append(.stopConnecting(id))
        case .idle(let since, _):
            guard isPast(since + configuration.idleTimeout, now) else { break }
            connectionEnded(id)
            expired.append(.closeIdle(id))
        case .busy(let headDue, let deadline, _):
            guard isPast(headDue ?? deadline, now) else { break }
            vacate(slot)
            expired.append(.requestTimedOut(id, headDue == nil ? .responseBody : .responseHead))
        }
    }

    private mutating func sweepWaiters(_ now: Instant, _ expired: inout [Expiry]) {
        let phase: HTTPClientError.Phase = isOutage || busyCount == 0 ? .connecting : .waiting
        // While an attempt is under way, its outcome is waited for: it is bounded too.
        let mayGiveUp = isOutage && connecting == 0
        var kept = 0
        for waiter in waiters {
            if waiter.deadline <= now {
                expired.append(.waiterTimedOut(waiter.id, phase))
            } else if mayGiveUp, waiter.unreachableAfter <= now {
                expired.append(.waiterGaveUp(waiter.id))
            } else {
                kept += 1
                wake(at: mayGiveUp ? min(waiter.deadline, waiter.unreachableAfter) : waiter.deadline)
            }
        }
        guard kept < waiters.count else { return }
        waiters.removeAll { $0.deadline <= now || mayGiveUp && $0.unreachableAfter <= now }
    }

    /// Whether `time` has come; if not, the sweep is due then.
    private mutating func isPast(_ time: Instant, _ now: Instant) -> Bool {
        if time <= now { return true }
        wake(at: time)
        return false
    }

    private mutating func wake(at time: Instant) {
        if time < wakeAt { wakeAt = time }
    }
}
