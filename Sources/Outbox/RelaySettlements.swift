internal import Reactor

/// Settlements on their way into the database, in batches of one generation each. Pure.
struct RelaySettlements {
    struct Batch {
        let generation: Int
        let settlements: [RelaySettlement]
        let tokens: [Int]

        fileprivate func part(_ range: some Collection<Int>) -> Batch {
            Batch(generation: generation, settlements: range.map { settlements[$0] }, tokens: range.map { tokens[$0] })
        }
    }

    private let limits: RelayMachine.Limits
    /// In the order in which they came to be.
    private var waiting: [(generation: Int, token: Int, settlement: RelaySettlement)] = []
    /// Batches that are to be stored again, as they are or in halves.
    private var parts: [Batch] = []
    private var underWay: [Int: Batch] = [:]
    private var begun = 0
    private var nextTime = Instant.origin
    private var backoff: Backoff

    init(_ limits: RelayMachine.Limits) {
        self.limits = limits
        backoff = Backoff(first: limits.databaseBackoffFirst, cap: limits.databaseBackoffCap)
    }

    /// Whether none is being stored.
    var isIdle: Bool { underWay.isEmpty }

    mutating func add(_ settlement: RelaySettlement, of token: Int, generation: Int) {
        waiting.append((generation, token, settlement))
    }

    /// A batch is stored, or not; returns which. What was not stored is stored later, and what the database refused in
    /// halves, until the one is found that it does not take.
    mutating func settled(
        _ number: Int,
        _ outcome: SettleOutcome,
        now: Instant,
        using random: inout some RandomNumberGenerator
    ) -> Batch {
        guard let batch = underWay.removeValue(forKey: number) else { preconditionFailure("no batch \(number)") }
        let middle = batch.tokens.count / 2
        switch outcome {
        case .stored: backoff.reset()
        case .refused where middle > 0: parts += [batch.part(0..<middle), batch.part(middle..<batch.tokens.count)]
        case .refused, .failed:
            parts.append(batch)
            nextTime = now + backoff.next(using: &random)
        }
        return batch
    }

    /// Whose settlements the database may have by now, of messages with these ids.
    func tokens(of ids: Set<Int64>, _ generation: Int) -> [Int] {
        (Array(underWay.values) + parts).filter { $0.generation == generation }.flatMap { batch in
            zip(batch.tokens, batch.settlements).filter { ids.contains($0.1.message.id) }.map(\.0)
        }
    }

    /// What is to be stored now.
    ///
    /// - Parameter isHeld: Whether a token still stands for a message; what is not held any more is not stored again.
    mutating func next(_ now: Instant, isHeld: (Int) -> Bool) -> [RelayMachine.Action] {
        var actions: [RelayMachine.Action] = []
        guard now >= nextTime else { return actions }
        while underWay.count < limits.settlingMax, let batch = nextBatch(isHeld) {
            begun += 1
            underWay[begun] = batch
            actions.append(.settle(begun, generation: batch.generation, batch.settlements))
        }
        return actions
    }

    private mutating func nextBatch(_ isHeld: (Int) -> Bool) -> Batch? {
        while !parts.isEmpty {
            let part = parts.removeFirst()
            let open = part.tokens.indices.filter { isHeld(part.tokens[$0]) }
            if !open.isEmpty { return part.part(open) }
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

    /// When ``next(_:)`` has something to do.
    var nextDeadline: Instant {
        waiting.isEmpty && parts.isEmpty || underWay.count >= limits.settlingMax ? .distantFuture : nextTime
    }
}
