internal import JSONWire
internal import Logging
internal import Metrics
internal import Postgres
internal import Prices
internal import Reactor

/// A worker's part in polling: claims the jobs that are due, fetches their prices and stores them.
///
/// Any number of workers do this together; each due moment is begun by one of them, or counted. See
/// `sql/0010_polling.sql`.
@ReactorActor
final class Poller {
    /// From one look to the next.
    private static let interval = Duration.milliseconds(100)
    /// Runs under way at once; beyond, jobs are late.
    private static let runsMax = 256
    /// Symbols fetched at once.
    private static let fetchesMax = 64
    /// How long a worker that shows no sign of life keeps its runs.
    private static let lease = "5 s"
    private static let renewalInterval = Duration.seconds(1)
    /// The most that a provider may take for one symbol.
    private static let fetchTimeout = Duration.seconds(15)
    /// The most that one statement may take.
    private static let timeout = Duration.seconds(5)
    /// Longest text that is kept of what was wrong.
    private static let errorLengthMax = 1000

    /// What the poller has done since it was made.
    struct Counters: Hashable, Sendable {
        @Counter("tickloop_polling_runs_total", "Runs of jobs that this process has ended.") var runs = 0
        @Counter("tickloop_polling_prices_total", "Prices that this process's runs stored.") var prices = 0
        @Counter("tickloop_polling_failures_total", "Symbols that had no price in this process's runs.")
        var failures = 0
        /// Runs that were no longer this worker's when they ended.
        var lost = 0
    }

    private struct Run {
        let id: Int64
        let dueAt: String
        let symbols: [Symbol]
        let provider: String?
        /// Who has claimed it.
        let owner: String
    }

    private(set) var counters = Counters()
    /// How long runs took.
    let runTimes = Histogram(
        "tickloop_polling_run_duration_seconds",
        "Time that a run took, from its claim to its end."
    )

    private let database: PostgresPool
    private let store: QuoteStore
    private let provider: @ReactorActor (String?) -> (any QuoteProvider)?
    private let logger: Logger
    /// The name under which runs are claimed. Another one after a claim of which nobody knows what it has claimed: the
    /// leases of that must end, and are not renewed with those of others.
    private var owner = UUIDText.random()
    /// Runs under way, by who has claimed them.
    private var runCounts: [String: Int] = [:]
    private var looks: Timer?
    private var renewals: Timer?
    private var isLooking = false
    private var runCount: Int { runCounts.values.reduce(0, +) }
    private var fetchCount = 0
    private var waitingFetches: [Promise<Void, Never>] = []

    /// Begins at once.
    ///
    /// - Parameter provider: The provider of a name, or the one to be asked where a job names none.
    init(
        _ database: PostgresPool,
        store: QuoteStore,
        logger: Logger,
        provider: @escaping @ReactorActor (String?) -> (any QuoteProvider)?
    ) {
        self.database = database
        self.store = store
        self.provider = provider
        self.logger = logger
        looks = Timer { [unowned self] in look() }
        looks?.scheduleRepeating(every: Self.interval)
        renewals = Timer { [unowned self] in renew() }
        renewals?.scheduleRepeating(every: Self.renewalInterval)
    }

    /// Begins nothing new, and ends what is under way.
    func stop(within limit: Duration) async {
        let deadline = Reactor.now + limit
        looks?.cancel()
        while runCount > 0 || isLooking, Reactor.now < deadline { try? await Reactor.sleep(for: .milliseconds(20)) }
        renewals?.cancel()
    }

    // MARK: Claims

    private static let claim = PostgresStatement(
        """
        select id, array_to_string(symbols, ' '), provider, due_at
        from claim_polling_jobs($1, $2::interval, $3, clock_timestamp())
        """
    )
    private static let renewRuns = PostgresStatement(
        "select count(*) from renew_polling_runs($1, $2::interval, clock_timestamp())"
    )
    private static let finish = PostgresStatement("select finish_polling_run($1, $2, $3, $4, $5)")

    private func look() {
        guard !isLooking, runCount < Self.runsMax, database.isReady else { return }
        isLooking = true
        let owner = owner
        let parameters: [PostgresParameter] = [
            .text(owner), .text(Self.lease), .int64(Int64(Self.runsMax - runCount)),
        ]
        database.query(Self.claim, parameters, deadline: Reactor.now + Self.timeout) { [self] result in
            isLooking = false
            switch result {
            case .success(let rows):
                for row in 0..<rows.count { begin(Self.run(rows, row, owner)) }
            case .failure(let error):
                if error.mayHaveHappened { self.owner = UUIDText.random() }
                logger.debug("no polling jobs were claimed", metadata: ["reason": "\(error)"])
            }
        }
    }

    private static func run(_ rows: PostgresResult, _ row: Int, _ owner: String) -> Run {
        Run(
            id: rows.int64(row, 0) ?? 0,
            dueAt: rows.text(row, 3) ?? "",
            symbols: (rows.text(row, 1) ?? "").split(separator: " ").compactMap { Symbol(String($0)) },
            provider: rows.text(row, 2),
            owner: owner
        )
    }

    private func renew() {
        for owner in runCounts.keys {
            database.query(
                Self.renewRuns,
                [.text(owner), .text(Self.lease)],
                deadline: Reactor.now + Self.timeout
            ) { _ in }
        }
    }

    // MARK: Runs

    private func begin(_ run: Run) {
        runCounts[run.owner, default: 0] += 1
        let start = Reactor.now
        Reactor.spawn { [self] in
            var errors: [String] = []
            if let provider = provider(run.provider) {
                errors = await fetch(run.symbols, from: provider)
            } else {
                errors = run.symbols.map { "\($0): provider '\(run.provider ?? "")' is not configured" }
            }
            await end(run, errors)
            runTimes.observe(Reactor.now - start)
            let others = runCounts[run.owner, default: 1] - 1
            runCounts[run.owner] = others > 0 ? others : nil
        }
    }

    /// Fetches all symbols at once, as far as others leave room; returns what was wrong.
    private func fetch(_ symbols: [Symbol], from provider: any QuoteProvider) async -> [String] {
        let fetches = symbols.map { symbol -> Promise<String?, Never> in
            let promise = Promise<String?, Never>()
            Reactor.spawn { [self] in
                await takeTurn()
                let error = await fetch(symbol, from: provider)
                giveTurn()
                promise.succeed(error.map { "\(symbol): \($0)" })
            }
            return promise
        }
        var errors: [String] = []
        for fetch in fetches {
            switch await fetch.result {
            case .success(let error): if let error { errors.append(error) }
            }
        }
        return errors
    }

    /// What was wrong; nil if a price is stored.
    private func fetch(_ symbol: Symbol, from provider: any QuoteProvider) async -> String? {
        let askedAt = Reactor.now
        let outcome = await provider.quote(symbol, deadline: askedAt + Self.fetchTimeout)
        guard case .price(let quote, let raw) = outcome else { return "\(outcome)" }
        do throws(QuoteStoreError) {
            _ = try await store.store(
                FetchedQuote(quote, raw: raw, askedAt: askedAt),
                deadline: Reactor.now + Self.fetchTimeout
            )
            counters.prices += 1
            return nil
        } catch {
            switch error {
            case .overloaded: return "the price could not be stored: too many wait"
            case .refused: return "the price could not be stored: the database refuses it"
            case .unavailable: return "the price could not be stored: the database does not answer"
            }
        }
    }

    private func takeTurn() async {
        guard fetchCount >= Self.fetchesMax else {
            fetchCount += 1
            return
        }
        let turn = Promise<Void, Never>()
        waitingFetches.append(turn)
        _ = await turn.result
    }

    private func giveTurn() {
        if waitingFetches.isEmpty {
            fetchCount -= 1
        } else {
            waitingFetches.removeFirst().succeed(())
        }
    }

    /// Writes down what came of a run; while the database is away that waits, and the lease with it.
    private func end(_ run: Run, _ errors: [String]) async {
        counters.runs += 1
        counters.failures += errors.count
        let error = errors.isEmpty ? nil : String(errors.joined(separator: "; ").prefix(Self.errorLengthMax))
        var backoff = Backoff(first: .milliseconds(200), cap: .seconds(2))
        while true {
            let result = try? await database.query(
                Self.finish,
                [
                    .int64(run.id), .text(run.owner), .text(run.dueAt), .int64(Int64(errors.count)),
                    error.map { .text($0) } ?? .null,
                ],
                deadline: Reactor.now + Self.timeout
            )
            if let result {
                if result.bool(0, 0) != true { counters.lost += 1 }
                return
            }
            try? await Reactor.sleep(for: backoff.next())
        }
    }
}
