internal import Reactor

/// An order that somebody waits to have taken in.
struct OfferedOrder: Sendable {
    /// Names the idempotency key that came with it: keys belong to who sends them.
    struct Key: Hashable, Sendable {
        let owner: String?
        let text: String
    }

    /// What the machine calls the request.
    let number: Int
    let id: OrderID
    let form: OrderForm
    let owner: String?
    let key: Key?
    let deadline: Instant
}

/// What became of an offered order.
enum IntakeAnswer: Hashable, Sendable {
    /// It is committed.
    case created(OrderID)
    /// Its key belongs to an order with the same members, which is committed.
    case replayed(OrderID)
    /// Its key belongs to an order with other members.
    case otherMembers
    /// It has expired already.
    case past
    /// The first request with its key has no outcome yet, and it can wait no longer.
    case firstStillRuns
    /// Certainly nothing was done: there are too many, or its turn did not come in time.
    case refused
    /// It could not be committed, or nobody knows whether it was.
    case failed
}

/// What the database says of one order of a commit.
enum IntakeVerdict: Hashable, Sendable {
    case created
    case replayed(OrderID)
    case otherMembers
    case past
}

/// Why a commit has no verdicts.
enum CommitFailure: Hashable, Sendable {
    /// A value of some order is refused by the database; nothing was done. Halves of it may succeed.
    case data
    /// Any other, also those after which it may have happened.
    case other
}

/// Decides which orders go into which commit, and what each request is told. Pure: what happened goes in, what to do
/// comes out.
///
/// Group commit without a timer: what arrives while a commit is under way is the next one. So a request that is alone
/// is committed alone, at once, and under load one commit serves many.
///
/// Of requests with the same key, the first is the only one in the commits; the others wait for what it is told.
struct IntakeMachine: ~Copyable {
    struct Limits {
        /// Orders in one commit. Beyond, a larger commit takes longer and is no cheaper for each.
        var ordersPerCommitMax = 256
        /// Commits under way: while one is flushed to the disk, others are executed, and are flushed together next.
        var commitsMax = 4
        /// Requests that wait, in commits or for them.
        var requestsMax = 4096
    }

    /// What the owner of the machine does.
    enum Action {
        /// Commits these orders, whose keys differ; their verdicts come back under this number.
        case commit(Int, [OfferedOrder])
        /// Tells a request.
        case answer(Int, IntakeAnswer)
    }

    private let limits: Limits
    /// In the order of their arrival.
    private var waiting: [OfferedOrder] = []
    /// Parts of commits that were refused for a value; they go first.
    private var parts: [[OfferedOrder]] = []
    private var commits: [Int: [OfferedOrder]] = [:]
    private var commitsBegun = 0
    /// The requests that wait for the first one with their key. A key is here while its first request is.
    private var followers: [OfferedOrder.Key: [OfferedOrder]] = [:]
    /// Requests in commits that were told already, at their deadline.
    private var told: Set<Int> = []
    /// Requests that have no answer yet.
    private(set) var requestCount = 0

    init(limits: Limits = Limits()) { self.limits = limits }

    /// A request has come; it goes out with the next ``turnEnded()``.
    mutating func offered(_ order: OfferedOrder) -> [Action] {
        guard requestCount < limits.requestsMax else { return [.answer(order.number, .refused)] }
        requestCount += 1
        enqueue(order)
        return []
    }

    /// No more requests come together with those that came.
    mutating func turnEnded(now: Instant) -> [Action] { begin(afterCommit: false, now: now) }

    /// The database has a verdict on each order of a commit.
    mutating func committed(_ number: Int, _ verdicts: [IntakeVerdict], now: Instant) -> [Action] {
        guard let orders = commits.removeValue(forKey: number) else { preconditionFailure("no commit \(number)") }
        precondition(orders.count == verdicts.count, "a verdict for each order")
        var actions: [Action] = []
        for (order, verdict) in zip(orders, verdicts) { conclude(order, verdict, &actions) }
        return actions + begin(now: now)
    }

    /// A commit has no verdicts.
    mutating func failed(_ number: Int, _ failure: CommitFailure, now: Instant) -> [Action] {
        guard let orders = commits.removeValue(forKey: number) else { preconditionFailure("no commit \(number)") }
        var actions: [Action] = []
        if failure == .data, orders.count > 1 {
            let middle = orders.count / 2
            parts += [Array(orders[..<middle]), Array(orders[middle...])]
        } else {
            for order in orders {
                answer(order, .failed, &actions)
                release(order)
            }
        }
        return actions + begin(now: now)
    }

    mutating func deadlinesPassed(now: Instant) -> [Action] {
        var actions: [Action] = []
        let late = waiting.filter { $0.deadline <= now }
        if !late.isEmpty { waiting.removeAll { $0.deadline <= now } }
        for order in commits.values.joined() where order.deadline <= now { tellEarly(order, &actions) }
        for order in parts.joined() where order.deadline <= now { tellEarly(order, &actions) }
        for (key, orders) in followers {
            let overdue = orders.filter { $0.deadline <= now }
            guard !overdue.isEmpty else { continue }
            followers[key] = orders.filter { $0.deadline > now }
            for order in overdue { answer(order, .firstStillRuns, &actions) }
        }
        for order in late {
            answer(order, .refused, &actions)
            release(order)
        }
        return actions + begin(afterCommit: false, now: now)
    }

    /// When ``deadlinesPassed(now:)`` has something to do next.
    var nextDeadline: Instant? {
        let inCommits = commits.values.joined().lazy.filter { [told] in !told.contains($0.number) }.map(\.deadline)
            .min()
        let inParts = parts.joined().lazy.filter { [told] in !told.contains($0.number) }.map(\.deadline).min()
        let following = followers.values.joined().lazy.map(\.deadline).min()
        return [waiting.lazy.map(\.deadline).min(), inCommits, inParts, following].compactMap { $0 }.min()
    }

    // MARK: Queue

    private mutating func enqueue(_ order: OfferedOrder) {
        if let key = order.key {
            guard followers[key] == nil else {
                followers[key]?.append(order)
                return
            }
            followers[key] = []
        }
        waiting.append(order)
    }

    /// Begins the commits that are due: one when another has ended, and more when as many orders wait as commits have.
    ///
    /// So commits are large where the disk is fast and processors are short, and there are several where it is slow.
    private mutating func begin(afterCommit: Bool = true, now: Instant) -> [Action] {
        var actions: [Action] = []
        var isDue = afterCommit
        while commits.count < limits.commitsMax, isDue || isAnotherDue, let orders = takeNext(now, &actions) {
            isDue = false
            commitsBegun += 1
            commits[commitsBegun] = orders
            actions.append(.commit(commitsBegun, orders))
        }
        return actions
    }

    private var isAnotherDue: Bool {
        commits.isEmpty || !parts.isEmpty || waiting.count * commits.count >= commits.values.reduce(0) { $0 + $1.count }
    }

    /// Takes out what goes into the next commit. What is late is not done any more, whoever still waits for it.
    private mutating func takeNext(_ now: Instant, _ actions: inout [Action]) -> [OfferedOrder]? {
        while !parts.isEmpty || !waiting.isEmpty {
            var orders: [OfferedOrder]
            if parts.isEmpty {
                orders = Array(waiting.prefix(limits.ordersPerCommitMax))
                waiting.removeFirst(orders.count)
            } else {
                orders = parts.removeFirst()
            }
            for order in orders where order.deadline <= now {
                answer(order, .refused, &actions)
                release(order)
            }
            orders.removeAll { $0.deadline <= now }
            if !orders.isEmpty { return orders }
        }
        return nil
    }

    // MARK: Answers

    private mutating func conclude(_ order: OfferedOrder, _ verdict: IntakeVerdict, _ actions: inout [Action]) {
        switch verdict {
        case .created:
            answer(order, .created(order.id), &actions)
            replay(order.id, to: order, &actions)
        case .replayed(let first):
            answer(order, .replayed(first), &actions)
            replay(first, to: order, &actions)
        case .otherMembers:
            answer(order, .otherMembers, &actions)
            release(order)
        case .past:
            answer(order, .past, &actions)
            release(order)
        }
    }

    /// Tells those who waited for an order that is committed.
    private mutating func replay(_ id: OrderID, to order: OfferedOrder, _ actions: inout [Action]) {
        guard let key = order.key, let waiting = followers.removeValue(forKey: key) else { return }
        for follower in waiting {
            answer(follower, follower.form == order.form ? .replayed(id) : .otherMembers, &actions)
        }
    }

    /// An order is out of the way: who waited for it has his own try.
    private mutating func release(_ order: OfferedOrder) {
        guard let key = order.key, let waiting = followers.removeValue(forKey: key) else { return }
        for follower in waiting { enqueue(follower) }
    }

    private mutating func answer(_ order: OfferedOrder, _ answer: IntakeAnswer, _ actions: inout [Action]) {
        guard told.remove(order.number) == nil else { return }
        requestCount -= 1
        actions.append(.answer(order.number, answer))
    }

    /// The outcome will come, and somebody may wait for it; this request waits no longer.
    private mutating func tellEarly(_ order: OfferedOrder, _ actions: inout [Action]) {
        guard !told.contains(order.number) else { return }
        answer(order, .failed, &actions)
        told.insert(order.number)
    }
}
