internal import Metrics
internal import Reactor

/// One connection to Redis, from connecting to its end; it does not come back.
///
///     connecting ──socket connected──▶ introducing ──PONG──▶ open ──▶ closed
///          └──────────────── any fault, or too late ─────────────────────▲
///
/// Commands are pipelined without waiting for one another, and those of a turn leave in one system call.
@ReactorActor
final class RedisConnection: HiredisContextDelegate {
    /// What a connection does besides answering commands.
    struct Events {
        /// The introduction was accepted: commands may be sent.
        var opened: () -> Void
        /// The connection is gone. Every pending command has failed before. Not called after ``close()``.
        var closed: (RedisFault) -> Void
        /// A pub/sub message arrived.
        var published: (borrowing RedisReplyView) -> Void = { _ in }
    }

    private enum State {
        case connecting
        /// Replies to introductory commands that are outstanding.
        case introducing(outstanding: Int)
        case open
        case closed
    }

    private let configuration: RedisConfiguration
    private let introduction: [RedisCommand]
    private let events: Events
    private var state = State.connecting
    private var hiredis: HiredisContext?
    private var pending = PendingCommands<RedisReplyHandler>()
    /// Where round trips are counted.
    private let latency: Histogram
    /// How many replies come before that to the command that is being timed, and since when; nil for none. Those of a
    /// turn travel together, so it is enough to time one at a time.
    private var timing: (repliesAhead: Int, since: Instant)?
    private lazy var watchdog = DeadlineTimer { [unowned self] in check.schedule() }
    /// The check itself. libev calls timers before sockets: when the loop was held up, the replies of this very turn
    /// must be read before commands are declared too late.
    private lazy var check = EndOfTurn { [weak self] in self?.watch() }

    /// Redis' name for this connection, when the introduction asked for it; `CLIENT UNBLOCK` takes it.
    private(set) var clientID: Int64?

    /// Starts connecting.
    init(
        to address: SocketAddress,
        configuration: RedisConfiguration,
        introduction: [RedisCommand],
        deadline: Instant,
        latency: Histogram,
        events: Events
    ) throws(RedisFault) {
        self.configuration = configuration
        self.introduction = introduction
        self.latency = latency
        self.events = events
        hiredis = try HiredisContext(to: address, delegate: self)
        watchdog.fire(noLaterThan: deadline)
    }

    /// Closes the connection; pending commands fail as ``RedisError/connectionLost(_:)``.
    func close() { end(.closed, tells: false) }

    /// Closes the connection because it is of no use, and tells the owner.
    func abandon(_ fault: RedisFault) { end(fault, tells: true) }

    /// Sends a command.
    ///
    /// - Parameter then: Called exactly once; before this method returns when nothing could be sent.
    func send(_ command: inout RedisCommand, timeout: Duration, then handler: @escaping RedisReplyHandler) {
        guard case .open = state, let hiredis else { return handler(.failed(.disconnected)) }
        guard pending.count < configuration.pendingLimit, hiredis.unsentBytes < configuration.unsentBytesLimit else {
            return handler(.failed(.overloaded))
        }
        guard hiredis.send(&command) else { return handler(.failed(.disconnected)) }
        let now = Reactor.now
        if timing == nil { timing = (pending.count, now) }
        pending.sent(handler, deadline: now + timeout, stallsAt: now + max(timeout, configuration.stallTimeout))
        scheduleWatchdog()
    }

    /// Subscribes to channels; from then on the connection can do nothing else.
    func subscribe(to channels: [String]) {
        guard case .open = state, let hiredis, !channels.isEmpty else { return }
        var command: RedisCommand = ["SUBSCRIBE"]
        for channel in channels { command.append(channel) }
        // A connection that refuses is about to tell that it is gone.
        _ = hiredis.subscribe(&command)
    }

    // MARK: HiredisContextDelegate

    func connected() {
        guard let hiredis else { return }
        state = .introducing(outstanding: introduction.count)
        for var command in introduction {
            guard hiredis.send(&command) else { return }
        }
    }

    func replied(_ reply: borrowing RedisReplyView) {
        switch state {
        case .introducing(let outstanding): introduced(reply, outstanding: outstanding - 1)
        case .open: answer(reply)
        case .connecting, .closed: break
        }
    }

    func published(_ message: borrowing RedisReplyView) { events.published(message) }

    func disconnected(_ fault: RedisFault) { end(fault, tells: true) }

    // MARK: Steps

    private func introduced(_ reply: borrowing RedisReplyView, outstanding: Int) {
        if case .error = reply.kind {
            return end(.refused(RedisServerError(reply: reply.text ?? "")), tells: true)
        }
        // Only `CLIENT ID` answers a number.
        if let id = reply.integer { clientID = id }
        guard outstanding == 0 else {
            state = .introducing(outstanding: outstanding)
            return
        }
        state = .open
        cancelWatchdog()
        events.opened()
    }

    private func answer(_ reply: borrowing RedisReplyView) {
        noteReply()
        let handler = pending.answered()
        guard case .error = reply.kind else {
            // Lending the reply inside an enum takes ownership of the view, which is a pointer that hiredis keeps
            // alive.
            handler?(.reply(reply.lent()))
            return
        }
        let error = RedisServerError(reply: reply.text ?? "")
        handler?(.failed(.refused(error)))
        if error.endsConnection { end(.refused(error), tells: true) }
    }

    private func noteReply() {
        guard let (repliesAhead, since) = timing else { return }
        if repliesAhead == 0 {
            latency.observe(Reactor.now - since)
            timing = nil
        } else {
            timing = (repliesAhead - 1, since)
        }
    }

    private func end(_ fault: RedisFault, tells: Bool) {
        if case .closed = state { return }
        state = .closed
        cancelWatchdog()
        hiredis?.close()
        for handler in pending.drain() { handler(.failed(.connectionLost(fault))) }
        if tells { events.closed(fault) }
    }

    // MARK: Time

    private func watch() {
        guard case .open = state else { return end(.timedOut, tells: true) }
        let now = Reactor.now
        for handler in pending.expire(now: now) { handler(.failed(.timedOut)) }
        guard case .open = state else { return }
        if pending.isStalled(now: now) { return end(.timedOut, tells: true) }
        scheduleWatchdog()
    }

    private func scheduleWatchdog() {
        if let due = pending.nextCheck { watchdog.fire(noLaterThan: due) }
    }

    private func cancelWatchdog() {
        watchdog.cancel()
        check.cancel()
    }
}
