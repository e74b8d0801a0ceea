internal import Reactor

/// Decides what a relay does with the messages for one destination. Pure: what happened, and when, goes in; what to do
/// comes out.
///
/// A message is held from its claim until its settlement is stored. In between it is sent or looked up:
///
///     claimed ──▶ sending ──▶ settling ──▶ gone, or handed back
///        │           │ ▲          ▲
///        │  duplicate│ │absent    │
///        └──────▶ looking up ─────┘
///
/// What may have had its effect is *uncertain*. Where the destination recognises a repetition, it is sent again with
/// the same key; where not, it is looked up first. That it is absent counts only ``Limits/settleTime`` after the last
/// moment at which it may have been sent.
///
/// Nothing is sent but under a lease with time left. When it has ended, or nobody knows what was claimed or handed back
/// under it, the relay begins anew under another name, its *generation*, and others take its claims over: what it
/// claimed without learning of it would stay its own for as long as it lived, and what it handed back without learning
/// of it, it might claim again, and then hand back while it is being sent.
public struct RelayMachine {
    /// What the owner of the machine does.
    enum Action: Hashable, Sendable {
        /// Begins a lease, under a new name that stands for the generation; ``entered(_:succeeded:now:)``.
        case enter(Int)
        /// Renews it; ``renewed(_:_:now:)``.
        case renew(Int)
        /// Ends it.
        case leave(Int)
        /// Claims messages above an id; ``claimed(_:now:)``.
        case claim(Int, above: Int64, maximum: Int)
        /// Takes claims of the dead over; ``tookOver(_:now:)``.
        case takeOver(Int, maximum: Int)
        /// Sends a message, if the lease has not ended by then; ``sent(_:_:now:)``.
        case send(Int, RelayMessage, deadline: Instant)
        /// Looks one up; ``lookedUp(_:_:now:)``.
        case lookUp(Int, RelayMessage)
        /// Stores settlements of messages claimed by the generation; ``settled(_:_:now:)``.
        case settle(Int, generation: Int, [RelaySettlement])
        /// Everything is settled after ``drain(now:)``.
        case end
    }

    /// What came of renewing a lease.
    enum Renewal: Hashable, Sendable {
        case held
        case ended
        case unknown
    }

    private struct Held {
        var message: RelayMessage
        let generation: Int
    }

    private let limits: Limits
    private var random: any RandomNumberGenerator & Sendable
    private var lease: RelayLease
    private var look: RelayLook
    private var settlements: RelaySettlements
    private var held: [Int: Held] = [:]
    private var tokens = 0
    private var breaker: DestinationBreaker
    /// Being sent or looked up.
    private(set) var inFlight = 0
    private var isDraining = false
    private var hasEnded = false
    private var own = Counters()

    var counters: Counters {
        var counters = own
        counters.leasesLost = lease.lostCount
        return counters
    }

    /// Makes a machine that does nothing until ``start(now:)``.
    init(limits: Limits, random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()) {
        self.limits = limits
        self.random = random
        breaker = DestinationBreaker(limits)
        lease = RelayLease(limits)
        look = RelayLook(limits)
        settlements = RelaySettlements(limits)
    }

    /// Whether attempts are stopped.
    var isOpen: Bool { breaker.state != .closed }

    /// Messages that are claimed.
    var heldCount: Int { held.count }

    // MARK: Events

    mutating func start(now: Instant) -> [Action] { advance(now) }

    mutating func timePassed(now: Instant) -> [Action] { advance(now) }

    /// Somebody says that there are messages.
    mutating func hinted(now: Instant) -> [Action] {
        look.wake(at: now)
        return advance(now)
    }

    /// The relay is to end: it claims nothing more, and settles what it holds.
    mutating func drain(now: Instant) -> [Action] {
        isDraining = true
        return advance(now)
    }

    /// A lease has begun, or not.
    mutating func entered(_ generation: Int, succeeded: Bool, now: Instant) -> [Action] {
        if lease.entered(generation, succeeded: succeeded, now: now, using: &random) { look.beginAnew(now) }
        return advance(now)
    }

    /// A lease was renewed, or not.
    mutating func renewed(_ generation: Int, _ renewal: Renewal, now: Instant) -> [Action] {
        lease.renewed(generation, renewal, now: now)
        return advance(now)
    }

    /// A claim has its answer; nil if nobody knows what was claimed.
    mutating func claimed(_ generation: Int, _ messages: [RelayMessage]?, now: Instant) -> [Action] {
        look.claimed(messages, now)
        guard let messages else {
            lease.giveUp(generation, now)
            return advance(now)
        }
        own.claimed += messages.count
        forgetHandBacks(of: messages, generation)
        return take(messages, generation, now)
    }

    /// Taking over has its answer; nil if nobody knows what was claimed.
    mutating func tookOver(_ generation: Int, _ messages: [RelayMessage]?, now: Instant) -> [Action] {
        look.tookOver(messages, now)
        guard let messages else {
            lease.giveUp(generation, now)
            return advance(now)
        }
        own.takenOver += messages.count
        return take(messages, generation, now)
    }

    /// A sending has its outcome; nil if it was not begun, because the lease had ended.
    mutating func sent(_ token: Int, _ outcome: SendOutcome?, now: Instant) -> [Action] {
        guard var entry = held[token] else { preconditionFailure("nobody sent \(token)") }
        var actions: [Action] = []
        inFlight -= 1
        switch outcome {
        case nil:
            breaker.abandoned(now: now)
            settle(token, entry, .returned, now)
        case .done?:
            breaker.succeeded()
            entry.message.attempts += 1
            settle(token, entry, .done, now)
        case .refused(let reason)?:
            breaker.succeeded()
            entry.message.attempts += 1
            // An earlier sending may have had its effect before the destination changed its mind.
            if entry.message.uncertainSince != nil {
                beginLookUp(token, entry, now, &actions)
            } else {
                settle(token, entry, .refused(reason), now)
            }
        case .duplicate?:
            breaker.succeeded()
            entry.message.attempts += 1
            entry.message.uncertainSince = now
            beginLookUp(token, entry, now, &actions)
        case .failed(let error)?:
            fail(now)
            entry.message.attempts += 1
            settle(token, entry, .failed(error), now)
        case .unknown(let error)?:
            fail(now)
            entry.message.attempts += 1
            entry.message.uncertainSince = now
            settle(token, entry, .unknown(error), now)
        }
        return actions + advance(now)
    }

    mutating func lookedUp(_ token: Int, _ outcome: LookUpOutcome, now: Instant) -> [Action] {
        guard var entry = held[token] else { preconditionFailure("nobody looked \(token) up") }
        var actions: [Action] = []
        inFlight -= 1
        switch outcome {
        case .found:
            breaker.succeeded()
            settle(token, entry, .done, now)
        case .absent:
            breaker.succeeded()
            let counts = (entry.message.uncertainSince ?? now) + limits.settleTime
            if now >= counts {
                entry.message.uncertainSince = nil
                begin(token, entry, now, &actions)
            } else {
                // A moment later than needed, because the database measures the time anew.
                settle(token, entry, .returned, now, delay: counts - now + .milliseconds(1))
            }
        case .failed(let error):
            fail(now)
            entry.message.attempts += 1
            settle(token, entry, .unknown(error), now)
        }
        return actions + advance(now)
    }

    /// Settlements are stored, or not.
    mutating func settled(_ number: Int, _ outcome: SettleOutcome, now: Instant) -> [Action] {
        let batch = settlements.settled(number, outcome, now: now, using: &random)
        switch outcome {
        case .stored:
            for (token, settlement) in zip(batch.tokens, batch.settlements) {
                guard held.removeValue(forKey: token) != nil else { continue }
                release(settlement, now)
            }
        case .failed: lease.giveUp(batch.generation, now)
        case .refused: break
        }
        return advance(now)
    }
}

// MARK: - Messages

extension RelayMachine {
    private mutating func take(_ messages: [RelayMessage], _ generation: Int, _ now: Instant) -> [Action] {
        var actions: [Action] = []
        for message in messages {
            tokens += 1
            begin(tokens, Held(message: message, generation: generation), now, &actions)
        }
        return actions + advance(now)
    }

    /// What is claimed again has been handed back, though its answer may be due, or was lost. Handing it back once more
    /// would give it to others while it is being sent.
    private mutating func forgetHandBacks(of messages: [RelayMessage], _ generation: Int) {
        guard !messages.isEmpty else { return }
        for token in settlements.tokens(of: Set(messages.lazy.map(\.id)), generation) { held[token] = nil }
    }

    /// Sends a message or looks it up, whichever is right.
    private mutating func begin(_ token: Int, _ entry: Held, _ now: Instant, _ actions: inout [Action]) {
        let message = entry.message
        let isPast = message.sendUntil.map { $0 <= now } ?? false
        if message.uncertainSince == nil, isPast {
            settle(token, entry, .expired, now)
        } else if message.uncertainSince != nil, isPast || limits.looksUpFirst {
            beginLookUp(token, entry, now, &actions)
        } else if let end = lease.end(of: entry.generation), now < end, mayBegin(now) {
            held[token] = entry
            inFlight += 1
            own.attempts += 1
            breaker.began(now: now)
            actions.append(.send(token, message, deadline: min(end, message.sendUntil ?? end)))
        } else {
            settle(token, entry, .returned, now)
        }
    }

    private mutating func beginLookUp(_ token: Int, _ entry: Held, _ now: Instant, _ actions: inout [Action]) {
        guard mayBegin(now) else { return settle(token, entry, .returned, now) }
        held[token] = entry
        inFlight += 1
        own.lookUps += 1
        breaker.began(now: now)
        actions.append(.lookUp(token, entry.message))
    }

    /// Whether the destination may be asked. In a closed state the claim has seen to the number.
    private func mayBegin(_ now: Instant) -> Bool {
        switch breaker.state {
        case .closed: !isDraining
        case .open(let until): !isDraining && now >= until
        case .probing: false
        }
    }

    private mutating func fail(_ now: Instant) {
        let wasOpen = isOpen
        breaker.failed(now: now, using: &random)
        if !wasOpen, isOpen { own.openings += 1 }
    }

    private mutating func settle(
        _ token: Int,
        _ entry: Held,
        _ verdict: RelaySettlement.Verdict,
        _ now: Instant,
        delay fixed: Duration? = nil
    ) {
        held[token] = entry
        let delay: Duration
        switch verdict {
        case .done: (own.done, delay) = (own.done + 1, .zero)
        case .refused: (own.refused, delay) = (own.refused + 1, .zero)
        case .expired: (own.expired, delay) = (own.expired + 1, .zero)
        case .failed: (own.failed, delay) = (own.failed + 1, backoff(entry.message.attempts))
        case .unknown: (own.unknown, delay) = (own.unknown + 1, backoff(entry.message.attempts))
        case .returned: delay = fixed ?? .zero
        }
        let settlement = RelaySettlement(message: entry.message, verdict: verdict, delay: delay)
        settlements.add(settlement, of: token, generation: entry.generation)
    }

    /// Full jitter: `0...min(cap, first · 2ⁿ⁻¹)`.
    private mutating func backoff(_ attempts: Int) -> Duration {
        let ceiling = min(limits.backoffCap, limits.backoffFirst * (1 << min(max(0, attempts - 1), 30)))
        return ceiling * Double.random(in: 0...1, using: &random)
    }

    /// A message is not held any more: when is there something to claim again?
    private mutating func release(_ settlement: RelaySettlement, _ now: Instant) {
        switch settlement.verdict {
        case .done, .refused, .expired:
            // The next of its sequence, which has a higher id, but may be below what was looked at.
            guard settlement.message.sequenceKey != nil else { return }
            look.lookFromTheBeginning(now)
        case .failed, .unknown, .returned:
            look.wake(at: now + settlement.delay)
        }
    }
}

// MARK: - What is due

extension RelayMachine {
    /// When ``timePassed(now:)`` has something to do.
    var nextDeadline: Instant {
        guard !hasEnded else { return .distantFuture }
        var next = min(lease.nextDeadline(isDraining: isDraining), settlements.nextDeadline)
        if lease.isHeld, !isDraining {
            let possible = look.nextDeadline { due in
                let instant = max(due, breaker.opensAt ?? due)
                return room(instant) == nil ? .distantFuture : instant
            }
            next = min(next, possible)
        }
        return next
    }

    private mutating func advance(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        if let action = lease.next(now, isDraining: isDraining) { actions.append(action) }
        actions += settlements.next(now) { [held] token in held[token] != nil }
        if !isDraining, lease.isHeld {
            let room = room(now)
            if let action = look.next(now, generation: lease.generation, room: room) { actions.append(action) }
        }
        if isDraining, !hasEnded, held.isEmpty, settlements.isIdle, look.isIdle {
            hasEnded = true
            if let action = lease.leave() { actions.append(action) }
            actions.append(.end)
        }
        return actions
    }

    /// How many messages may be claimed; nil for none.
    private func room(_ now: Instant) -> Int? {
        let expected = look.expected
        let room = min(
            breaker.room(busy: inFlight + expected, now: now),
            2 * limits.inFlightMax - held.count - expected,
            limits.claimMax
        )
        return room > 0 ? room : nil
    }
}
