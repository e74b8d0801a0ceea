internal import Metrics
internal import Reactor

/// Decides how the exchange's reports are taken in. Pure: what happened, and when, goes in; what to do comes out.
///
/// One machine of all holds the lease. It follows the exchange's stream, fetches what is missing in it at once, stores
/// what has come in order, a batch while the last one is being stored, and compares snapshots with what is stored, also
/// while nothing seems to be wrong.
///
/// Answers name the *round* that asked for them. A round ends when the lease does, or when the exchange has lost its
/// book and counts anew.
struct ReportMachine {
    /// What the owner of the machine does.
    enum Action: Hashable {
        /// Begins or renews the lease; ``leased(_:now:)``.
        case lease
        /// Follows the stream from behind a number on, as the stream of this number; ``came(_:on:now:)``,
        /// ``streamEnded(_:now:)``.
        case open(Int, after: Int)
        /// Stops following.
        case close
        /// Asks for reports; ``fetched(_:in:now:)``.
        case fetch(Int, after: Int, count: Int)
        /// Takes reports in; ``stored(_:now:)``.
        case store([ExecutionReport], through: Int)
        /// Compares a page of the snapshot with what is stored; ``compared(_:in:now:)``.
        case compare(Int, after: Int)
        /// Tells a person.
        case alarm(Alarm)
    }

    /// What must not be, and does not stop anything.
    enum Alarm: Hashable {
        /// The exchange does not have reports that it counted.
        case missing(after: Int, count: Int)
        /// A report that cannot be understood, or that the database refuses.
        case unusable(number: Int)
        /// The exchange counts anew.
        case rewound(from: Int, to: Int)
    }

    /// What came of asking for the lease.
    enum LeaseOutcome: Hashable {
        case held(through: Int)
        case taken
        case failed
    }

    enum StoreOutcome: Hashable {
        case stored
        /// One of them can never be stored.
        case refused
        case failed
        /// Another holds the lease.
        case lost
    }

    /// What came of a comparison.
    enum CompareOutcome: Hashable {
        /// - Parameter next: Where the next page begins; nil if this was the last.
        case compared(next: Int?)
        case failed
    }

    struct Limits: Sendable {
        /// Longer than a worker stands still when all is well.
        var lease = Duration.seconds(6)
        /// Without the lease, or after a failure to get it.
        var leasePause = Duration.seconds(2)
        /// Reports of one transaction.
        var storeMax = 500
        /// Reports that wait for being stored; then nothing more is read.
        var readyMax = 5000
        /// Reports that are asked for at once.
        var fetchMax = 1000
        /// A stream without a line for so long is dead.
        var silence = Duration.seconds(5)
        /// The first pause after a failure, and the longest.
        var pauses = (first: Duration.milliseconds(100), longest: Duration.seconds(5))
        /// For how long an exchange that answers is asked for a report that it counted.
        var missingTime = Duration.seconds(10)
        /// From one page of a snapshot to the next, and from one snapshot to the next.
        var compare = (page: Duration.seconds(1), whole: Duration.seconds(10))
    }

    struct Counters: Sendable {
        @Counter("tickloop_orders_reports_total", "Reports of the exchange that were taken in.") var taken = 0
        @Counter(
            "tickloop_orders_reports_fetched_total",
            "Reports that the stream had left out, and that were fetched."
        )
        var fetched = 0
        @Counter("tickloop_orders_report_streams_total", "Streams of reports that were begun.") var opened = 0
        @Counter("tickloop_orders_reports_unreadable_total", "Lines of the stream that could not be read.")
        var unreadable = 0
        fileprivate(set) var repeatedBefore = 0
    }

    private struct Pause {
        private(set) var until = Instant.origin
        private var next: Duration?

        mutating func begin(_ limits: Limits, now: Instant) {
            let duration = next ?? limits.pauses.first
            next = min(duration * 2, limits.pauses.longest)
            until = now + duration
        }

        mutating func end() {
            until = .origin
            next = nil
        }
    }

    private let limits: Limits
    private var isDraining = false
    private var isLeasing = false
    private var leaseAskedAt = Instant.origin
    /// nil without the lease.
    private var leaseUntil: Instant?
    private var nextLease = Instant.origin
    private var round = 0

    private var sequence = ReportSequence(after: 0)
    /// Up to where all are stored.
    private(set) var through = 0
    private var streams = 0
    private var isOpen = false
    private var heardAt = Instant.origin
    private var openPause = Pause()
    /// Behind which number reports are asked for; nil while none are.
    private var fetchingAfter: Int?
    private var fetchPause = Pause()
    private var missingSince: Instant?
    /// What is being stored, and in which round it came.
    private var storing: (round: Int, count: Int, through: Int)?
    private var storePause = Pause()
    private var batchMax: Int
    private var isComparing = false
    private var comparePosition = 0
    private var nextCompare = Instant.origin
    private(set) var counters = Counters()

    init(limits: Limits = Limits()) {
        self.limits = limits
        batchMax = limits.storeMax
    }

    /// Whether this is the one that follows the exchange.
    var isHolding: Bool { leaseUntil != nil }
    /// Whether enough waits for being stored: nothing more is to be read.
    var isFull: Bool { sequence.ready.count >= limits.readyMax }
    /// Reports that the exchange has and that are not stored; nil if another knows that.
    var behind: Int? { isHolding ? max(0, sequence.known - through) : nil }
    /// Reports that had come before.
    var repeated: Int { counters.repeatedBefore + sequence.repeated }
}

// MARK: - Events

extension ReportMachine {
    mutating func start(now: Instant) -> [Action] { advance(now) }

    mutating func timePassed(now: Instant) -> [Action] { advance(now) }

    /// Ends: what is being stored may still be. The lease, if there is one, is to be ended.
    mutating func drain(now: Instant) -> [Action] {
        isDraining = true
        leaseUntil = nil
        return endRound()
    }

    mutating func leased(_ outcome: LeaseOutcome, now: Instant) -> [Action] {
        isLeasing = false
        guard !isDraining else { return [] }
        switch outcome {
        case .held(let number):
            let wasHolding = isHolding
            leaseUntil = leaseAskedAt + limits.lease
            nextLease = leaseAskedAt + limits.lease / 3
            if !wasHolding { begin(after: number, now: now) }
        case .taken:
            nextLease = now + limits.leasePause
            return lose(now) + advance(now)
        case .failed:
            nextLease = now + limits.leasePause / 4
        }
        return advance(now)
    }

    mutating func came(_ lines: [ReportLine], on stream: Int, now: Instant) -> [Action] {
        guard isOpen, stream == streams else { return [] }
        heardAt = now
        var actions: [Action] = []
        for line in lines {
            switch line {
            case .report(let report): sequence.take(report)
            case .heartbeat(let last) where last < sequence.end:
                return actions + rewind(to: last, now: now) + advance(now)
            case .heartbeat(let last):
                sequence.heard(last: last)
                openPause.end()
            case .unreadable: counters.unreadable += 1
            }
        }
        actions += advance(now)
        return actions
    }

    mutating func streamEnded(_ stream: Int, now: Instant) -> [Action] {
        guard isOpen, stream == streams else { return [] }
        isOpen = false
        openPause.begin(limits, now: now)
        return advance(now)
    }

    /// - Parameter reports: nil if there was no answer.
    mutating func fetched(_ reports: [ExecutionReport]?, in round: Int, now: Instant) -> [Action] {
        guard round == self.round, let asked = fetchingAfter else { return [] }
        fetchingAfter = nil
        let before = sequence.end
        for report in reports ?? [] { sequence.take(report) }
        var actions: [Action] = []
        if sequence.end > before {
            counters.fetched += reports?.count ?? 0
            fetchPause.end()
            missingSince = nil
        } else if let gap = sequence.gap, gap.after == asked {
            fetchPause.begin(limits, now: now)
            // An exchange that is away may have it all the same.
            let since = reports == nil ? nil : missingSince ?? now
            missingSince = since
            if let since, now - since >= limits.missingTime {
                missingSince = nil
                fetchPause.end()
                sequence.passOverGap()
                actions.append(.alarm(.missing(after: gap.after, count: gap.count)))
            }
        }
        return actions + advance(now)
    }

    mutating func stored(_ outcome: StoreOutcome, now: Instant) -> [Action] {
        guard let batch = storing else { return [] }
        storing = nil
        // What was stored of a round that has ended is stored again, and changes nothing.
        guard batch.round == round else { return advance(now) }
        switch outcome {
        case .stored:
            let unusable = sequence.ready.prefix(batch.count).filter { $0.content == .unusable }
            counters.taken += batch.count
            sequence.removeFirst(batch.count)
            through = batch.through
            batchMax = min(batchMax * 2, limits.storeMax)
            storePause.end()
            return unusable.map { .alarm(.unusable(number: $0.number)) } + advance(now)
        case .refused where batch.count > 1:
            batchMax = batch.count / 2
        case .refused:
            sequence.removeFirst(1)
            return [.alarm(.unusable(number: batch.through))] + advance(now)
        case .failed:
            storePause.begin(limits, now: now)
        case .lost:
            nextLease = now + limits.leasePause
            return lose(now) + advance(now)
        }
        return advance(now)
    }

    mutating func compared(_ outcome: CompareOutcome, in round: Int, now: Instant) -> [Action] {
        guard round == self.round, isComparing else { return [] }
        isComparing = false
        switch outcome {
        case .compared(let next):
            comparePosition = next ?? 0
            nextCompare = now + (next == nil ? limits.compare.whole : limits.compare.page)
        case .failed: nextCompare = now + limits.compare.whole
        }
        return advance(now)
    }
}

// MARK: - Steps

extension ReportMachine {
    private mutating func begin(after number: Int, now: Instant) {
        round += 1
        counters.repeatedBefore += sequence.repeated
        sequence = ReportSequence(after: number)
        through = number
        batchMax = limits.storeMax
        missingSince = nil
        (fetchingAfter, isComparing) = (nil, false)
        fetchPause.end()
        storePause.end()
        comparePosition = 0
        nextCompare = now + limits.compare.page
    }

    private mutating func endRound() -> [Action] {
        round += 1
        let wasOpen = isOpen
        isOpen = false
        return wasOpen ? [.close] : []
    }

    private mutating func lose(_ now: Instant) -> [Action] {
        guard isHolding else { return [] }
        leaseUntil = nil
        return endRound()
    }

    /// The exchange has fewer reports than it once had: it counts anew. What it says of executions that are known
    /// changes nothing, so everything is read again.
    private mutating func rewind(to last: Int, now: Instant) -> [Action] {
        let from = sequence.end
        let actions = endRound()
        begin(after: 0, now: now)
        openPause.begin(limits, now: now)
        return actions + [.alarm(.rewound(from: from, to: last))]
    }

    private mutating func advance(_ now: Instant) -> [Action] {
        guard !isDraining else { return [] }
        var actions: [Action] = []
        if let leaseUntil, now >= leaseUntil { actions += lose(now) }
        if !isLeasing, now >= nextLease {
            isLeasing = true
            leaseAskedAt = now
            actions.append(.lease)
        }
        guard isHolding else { return actions }
        if isOpen, isFull { heardAt = now }
        if isOpen, now - heardAt >= limits.silence {
            isOpen = false
            openPause.begin(limits, now: now)
            actions.append(.close)
        }
        if !isOpen, now >= openPause.until {
            isOpen = true
            heardAt = now
            streams += 1
            counters.opened += 1
            actions.append(.open(streams, after: sequence.end))
        }
        if fetchingAfter == nil, !isFull, now >= fetchPause.until, let gap = sequence.gap {
            fetchingAfter = gap.after
            actions.append(.fetch(round, after: gap.after, count: min(gap.count, limits.fetchMax)))
        }
        actions += storeNext(now)
        if !isComparing, now >= nextCompare {
            isComparing = true
            actions.append(.compare(round, after: comparePosition))
        }
        return actions
    }

    private mutating func storeNext(_ now: Instant) -> [Action] {
        guard storing == nil, now >= storePause.until else { return [] }
        let batch = Array(sequence.ready.prefix(batchMax))
        guard let last = batch.last else { return [] }
        storing = (round, batch.count, last.number)
        return [.store(batch, through: last.number)]
    }

    /// When time alone changes something.
    var nextDeadline: Instant {
        guard !isDraining else { return .distantFuture }
        var next = isLeasing ? Instant.distantFuture : nextLease
        guard let leaseUntil else { return next }
        next = min(next, leaseUntil)
        next = min(next, isOpen ? (isFull ? .distantFuture : heardAt + limits.silence) : openPause.until)
        if fetchingAfter == nil, !isFull, sequence.hasGap { next = min(next, fetchPause.until) }
        if storing == nil, !sequence.ready.isEmpty { next = min(next, storePause.until) }
        return isComparing ? next : min(next, nextCompare)
    }
}
