public import Reactor

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
/// Nothing is sent but under a lease with time left, counted from before it was asked for, so that it ends here earlier
/// than in the database. A lease that has ended is never renewed: the relay begins anew under another name, its
/// *generation*, and others take its claims over.
public struct RelayMachine {
    /// What the owner of the machine does.
    public enum Action: Hashable, Sendable {
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
    public enum Renewal: Hashable, Sendable {
        case held
        case ended
        case unknown
    }

    private enum Lease {
        case none
        case entering(since: Instant)
        case held(until: Instant, askedAt: Instant?)
    }

    private struct Held {
        var message: RelayMessage
        let generation: Int
    }

    private struct Batch {
        let generation: Int
        let settlements: [RelaySettlement]
        let tokens: [Int]
    }

    private let limits: Limits
    private var random: any RandomNumberGenerator & Sendable
    private var lease = Lease.none
    private var generation = 0
    private var nextEnter = Instant.origin
    private var nextRenewal = Instant.distantFuture
    private var enterBackoff: Backoff

    private var isClaiming = false
    private var isTakingOver = false
    private var claimMaximum = 0
    private var claimReserve = 0
    private var above: Int64 = 0
    private var nextClaim = Instant.origin
    private var nextSweep = Instant.origin
    private var nextTakeOver = Instant.origin

    private var held: [Int: Held] = [:]
    private var tokens = 0
    private var breaker: DestinationBreaker
    /// Being sent or looked up.
    public private(set) var inFlight = 0
    /// In the order in which they came to be, of one generation each.
    private var waiting: [(generation: Int, token: Int, settlement: RelaySettlement)] = []
    private var parts: [Batch] = []
    private var batches: [Int: Batch] = [:]
    private var batchesBegun = 0
    private var nextSettle = Instant.origin
    private var settleBackoff: Backoff

    private var isDraining = false
    private var hasEnded = false
    /// What has happened.
    public private(set) var counters = Counters()

    /// Makes a machine that does nothing until ``start(now:)``.
    public init(limits: Limits, random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()) {
        self.limits = limits
        self.random = random
        breaker = DestinationBreaker(limits)
        enterBackoff = Backoff(first: limits.databaseBackoffFirst, cap: limits.databaseBackoffCap)
        settleBackoff = enterBackoff
    }

    /// Whether attempts are stopped.
    public var isOpen: Bool { breaker.state != .closed }

    /// Messages that are claimed.
    public var heldCount: Int { held.count }

    // MARK: Events

    /// The relay begins.
    public mutating func start(now: Instant) -> [Action] { advance(now) }

    /// Time has passed.
    public mutating func timePassed(now: Instant) -> [Action] { advance(now) }

    /// Somebody says that there are messages.
    public mutating func hinted(now: Instant) -> [Action] {
        nextClaim = min(nextClaim, now)
        return advance(now)
    }

    /// The relay is to end: it claims nothing more, and settles what it holds.
    public mutating func drain(now: Instant) -> [Action] {
        isDraining = true
        return advance(now)
    }

    /// A lease has begun, or not.
    public mutating func entered(_ generation: Int, succeeded: Bool, now: Instant) -> [Action] {
        guard generation == self.generation, case .entering(let since) = lease else { return advance(now) }
        if succeeded {
            enterBackoff.reset()
            lease = .held(until: since + limits.lease - limits.leaseReserve, askedAt: nil)
            nextRenewal = since + limits.lease / 3
            (nextClaim, nextSweep, nextTakeOver) = (now, now, now)
        } else {
            lease = .none
            nextEnter = now + enterBackoff.next(using: &random)
        }
        return advance(now)
    }

    /// A lease was renewed, or not.
    public mutating func renewed(_ generation: Int, _ renewal: Renewal, now: Instant) -> [Action] {
        guard generation == self.generation, case .held(let until, let askedAt?) = lease else { return advance(now) }
        switch renewal {
        case .held:
            lease = .held(until: askedAt + limits.lease - limits.leaseReserve, askedAt: nil)
            nextRenewal = askedAt + limits.lease / 3
        case .unknown:
            lease = .held(until: until, askedAt: nil)
            nextRenewal = now + limits.lease / 20
        case .ended:
            loseLease(now)
        }
        return advance(now)
    }

    /// A claim has its answer; nil if nobody knows what was claimed.
    public mutating func claimed(_ generation: Int, _ messages: [RelayMessage]?, now: Instant) -> [Action] {
        isClaiming = false
        var actions: [Action] = []
        guard let messages else {
            startAnew(insteadOf: generation, now)
            return advance(now)
        }
        counters.claimed += messages.count
        forgetHandBacks(of: messages, generation)
        // A full claim says that there are more.
        if messages.count == claimMaximum { nextClaim = now }
        for message in messages {
            if message.isFinal, message.attempts == 0, message.uncertainSince == nil { above = max(above, message.id) }
            take(message, generation, now, &actions)
        }
        return actions + advance(now)
    }

    /// Taking over has its answer; nil if nobody knows what was claimed.
    public mutating func tookOver(_ generation: Int, _ messages: [RelayMessage]?, now: Instant) -> [Action] {
        isTakingOver = false
        var actions: [Action] = []
        if messages == nil { startAnew(insteadOf: generation, now) }
        if let messages, !messages.isEmpty {
            counters.takenOver += messages.count
            nextTakeOver = now
            for message in messages { take(message, generation, now, &actions) }
        }
        return actions + advance(now)
    }

    /// A sending has its outcome; nil if it was not begun, because the lease had ended.
    public mutating func sent(_ token: Int, _ outcome: SendOutcome?, now: Instant) -> [Action] {
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

    /// A look-up has its outcome.
    public mutating func lookedUp(_ token: Int, _ outcome: LookUpOutcome, now: Instant) -> [Action] {
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
    public mutating func settled(_ number: Int, _ outcome: SettleOutcome, now: Instant) -> [Action] {
        guard let batch = batches.removeValue(forKey: number) else { preconditionFailure("no batch \(number)") }
        switch outcome {
        case .stored:
            settleBackoff.reset()
            for (token, settlement) in zip(batch.tokens, batch.settlements) {
                guard held.removeValue(forKey: token) != nil else { continue }
                release(settlement, now)
            }
        case .failed:
            startAnew(insteadOf: batch.generation, now)
            parts.append(batch)
            nextSettle = now + settleBackoff.next(using: &random)
        case .refused:
            let middle = batch.tokens.count / 2
            let halves = middle == 0 ? [0..<1] : [0..<middle, middle..<batch.tokens.count]
            for half in halves {
                parts.append(
                    Batch(
                        generation: batch.generation,
                        settlements: Array(batch.settlements[half]),
                        tokens: Array(batch.tokens[half])
                    )
                )
            }
            if middle == 0 { nextSettle = now + settleBackoff.next(using: &random) }
        }
        return advance(now)
    }
}

// MARK: - Messages

extension RelayMachine {
    private mutating func take(
        _ message: RelayMessage,
        _ generation: Int,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        tokens += 1
        let entry = Held(message: message, generation: generation)
        begin(tokens, entry, now, &actions)
    }

    /// What is claimed again has been handed back, though its answer may be due, or was lost. Handing it back once more
    /// would give it to others while it is being sent.
    private mutating func forgetHandBacks(of messages: [RelayMessage], _ generation: Int) {
        guard !messages.isEmpty else { return }
        let ids = Set(messages.lazy.map(\.id))
        for batch in Array(batches.values) + parts where batch.generation == generation {
            for (token, settlement) in zip(batch.tokens, batch.settlements) where ids.contains(settlement.message.id) {
                held[token] = nil
            }
        }
    }

    /// Sends a message or looks it up, whichever is right.
    private mutating func begin(_ token: Int, _ entry: Held, _ now: Instant, _ actions: inout [Action]) {
        let message = entry.message
        let isPast = message.sendUntil.map { $0 <= now } ?? false
        if message.uncertainSince == nil, isPast {
            settle(token, entry, .expired, now)
        } else if message.uncertainSince != nil, isPast || limits.looksUpFirst {
            beginLookUp(token, entry, now, &actions)
        } else if let end = leaseEnd(of: entry.generation), now < end, mayBegin(now) {
            held[token] = entry
            inFlight += 1
            counters.attempts += 1
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
        counters.lookUps += 1
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

    private func leaseEnd(of generation: Int) -> Instant? {
        guard generation == self.generation, case .held(let until, _) = lease else { return nil }
        return until
    }

    private mutating func fail(_ now: Instant) {
        let wasOpen = isOpen
        breaker.failed(now: now, using: &random)
        if !wasOpen, isOpen { counters.openings += 1 }
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
        case .done: (counters.done, delay) = (counters.done + 1, .zero)
        case .refused: (counters.refused, delay) = (counters.refused + 1, .zero)
        case .expired: (counters.expired, delay) = (counters.expired + 1, .zero)
        case .failed: (counters.failed, delay) = (counters.failed + 1, backoff(entry.message.attempts))
        case .unknown: (counters.unknown, delay) = (counters.unknown + 1, backoff(entry.message.attempts))
        case .returned: delay = fixed ?? .zero
        }
        let settlement = RelaySettlement(message: entry.message, verdict: verdict, delay: delay)
        waiting.append((entry.generation, token, settlement))
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
            above = 0
            nextClaim = min(nextClaim, now)
        case .failed, .unknown, .returned:
            nextClaim = min(nextClaim, now + settlement.delay)
        }
    }
}

// MARK: - What is due

extension RelayMachine {
    /// When ``timePassed(now:)`` has something to do.
    public var nextDeadline: Instant {
        guard !hasEnded else { return .distantFuture }
        var next = Instant.distantFuture
        switch lease {
        case .none: if !isDraining { next = min(next, nextEnter) }
        case .entering: break
        case .held(let until, let askedAt):
            next = min(next, until)
            if askedAt == nil { next = min(next, nextRenewal) }
            if !isDraining, !isTakingOver {
                next = min(next, nextLook(nextTakeOver))
                if !isClaiming { next = min(next, nextLook(nextClaim)) }
            }
        }
        if !waiting.isEmpty || !parts.isEmpty, batches.count < limits.settlingMax { next = min(next, nextSettle) }
        return next
    }

    /// When what is due at an instant can be done. Without room, what makes room is an event of its own.
    private func nextLook(_ due: Instant) -> Instant {
        let instant = max(due, breaker.opensAt ?? due)
        return room(instant) == nil ? .distantFuture : instant
    }

    private mutating func advance(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        keepLease(now, &actions)
        storeSettlements(now, &actions)
        look(now, &actions)
        if isDraining, !hasEnded, held.isEmpty, batches.isEmpty, !isClaiming, !isTakingOver {
            hasEnded = true
            if case .held = lease { actions.append(.leave(generation)) }
            lease = .none
            actions.append(.end)
        }
        return actions
    }

    private mutating func keepLease(_ now: Instant, _ actions: inout [Action]) {
        if case .held(let until, _) = lease, now >= until { loseLease(now) }
        switch lease {
        case .none where !isDraining && now >= nextEnter:
            generation += 1
            lease = .entering(since: now)
            actions.append(.enter(generation))
        case .held(let until, nil) where now >= nextRenewal:
            lease = .held(until: until, askedAt: now)
            actions.append(.renew(generation))
        case .none, .entering, .held: break
        }
    }

    /// Gives a generation up, as nobody knows what it has claimed or handed back.
    ///
    /// What it claimed without learning of it would stay its own for as long as it lived. What it handed back without
    /// learning of it, it might claim again, and then hand back while it is being sent.
    private mutating func startAnew(insteadOf generation: Int, _ now: Instant) {
        guard generation == self.generation, case .held = lease else { return }
        loseLease(now)
    }

    private mutating func loseLease(_ now: Instant) {
        counters.leasesLost += 1
        lease = .none
        nextEnter = now
        nextRenewal = .distantFuture
    }

    private mutating func look(_ now: Instant, _ actions: inout [Action]) {
        guard !isDraining, case .held(let until, _) = lease, now < until else { return }
        if !isTakingOver, now >= nextTakeOver, let room = room(now) {
            isTakingOver = true
            nextTakeOver = now + limits.takeOverInterval
            claimReserve = room
            actions.append(.takeOver(generation, maximum: room))
            return
        }
        guard !isClaiming, !isTakingOver, now >= nextClaim, let room = room(now) else { return }
        if now >= nextSweep {
            above = 0
            nextSweep = now + limits.sweepInterval
        }
        isClaiming = true
        claimMaximum = room
        nextClaim = now + limits.pollInterval
        actions.append(.claim(generation, above: above, maximum: room))
    }

    /// How many messages may be claimed; nil for none.
    private func room(_ now: Instant) -> Int? {
        let reserved = isClaiming ? claimMaximum : isTakingOver ? claimReserve : 0
        let room = min(
            breaker.room(busy: inFlight + reserved, now: now),
            2 * limits.inFlightMax - held.count - reserved,
            limits.claimMax
        )
        return room > 0 ? room : nil
    }

    private mutating func storeSettlements(_ now: Instant, _ actions: inout [Action]) {
        guard now >= nextSettle else { return }
        while batches.count < limits.settlingMax, let batch = nextBatch() {
            batchesBegun += 1
            batches[batchesBegun] = batch
            actions.append(.settle(batchesBegun, generation: batch.generation, batch.settlements))
        }
    }

    private mutating func nextBatch() -> Batch? {
        while !parts.isEmpty {
            let part = parts.removeFirst()
            let open = part.tokens.indices.filter { held[part.tokens[$0]] != nil }
            guard !open.isEmpty else { continue }
            return Batch(
                generation: part.generation,
                settlements: open.map { part.settlements[$0] },
                tokens: open.map { part.tokens[$0] }
            )
        }
        guard let generation = waiting.first?.generation else { return nil }
        let count = waiting.prefix(limits.settleMax).prefix { $0.generation == generation }.count
        let batch = Batch(
            generation: generation,
            settlements: waiting.prefix(count).map(\.settlement),
            tokens: waiting.prefix(count).map(\.token)
        )
        waiting.removeFirst(count)
        return batch
    }
}
