internal import Basics
internal import JSONWire
internal import Logging
internal import Metrics
internal import Postgres
internal import Prices
internal import Reactor

/// A price that a provider brought, with the answer that it was read from.
struct FetchedQuote: Hashable, Sendable {
    /// What the provider said.
    let quote: Quote
    /// The whole answer, without any key.
    let raw: String
    /// When the provider was asked, by this process' clock.
    let askedAt: Instant

    /// Joins the parts.
    init(_ quote: Quote, raw: String, askedAt: Instant) {
        self.quote = quote
        self.raw = raw
        self.askedAt = askedAt
    }
}

/// Where a quote was put.
struct StoredQuote: Hashable, Sendable {
    /// The row of `prices`.
    let priceID: Int64
    /// The row of `raw_responses`.
    let rawResponseID: Int64
}

/// Why a quote was not stored.
enum QuoteStoreError: Error, Hashable, Sendable {
    /// Too many wait; nothing was done.
    case overloaded
    /// A value of it is refused by the database; nothing was done.
    case refused
    /// The database cannot be reached, or did not answer in time. It may have been stored.
    case unavailable
}

/// Stores the prices that providers bring: the raw answer, the price and the promise of its event in one transaction,
/// and many at once under load.
@ReactorActor
final class QuoteStore {
    /// Quotes in one commit.
    private static let batchMax = 256
    /// Quotes in commits or on their way into them, also those that nobody waits for any more.
    private static let quotesMax = 4096
    /// The most that a commit may take until its outcome counts as unknown. The server's own limit ends it before.
    private static let commitTimeout = Duration.seconds(10)

    private struct Waiter {
        let promise: Promise<StoredQuote, QuoteStoreError>
        let deadline: Instant
    }

    /// How long commits took.
    let commitTimes = Histogram(
        "tickloop_quote_commit_duration_seconds",
        "Time that a commit of prices took."
    )
    /// How many quotes were stored, ever.
    private(set) var storedCount = 0
    /// Called after each commit: there are events to send.
    var onCommitted: @ReactorActor () -> Void = {}

    private let database: PostgresPool
    private let logger: Logger
    private var batches = QuoteBatches<(number: Int, quote: FetchedQuote)>(batchMax: batchMax)
    private var waiters: [Int: Waiter] = [:]
    private var quotesBegun = 0
    private var failures = Reminder()
    private var endOfTurn: EndOfTurn?
    private var deadlines: DeadlineTimer?

    /// - Parameter database: For the store alone, with one connection, so that no reader waits for a commit.
    init(_ database: PostgresPool, logger: Logger) {
        self.database = database
        self.logger = logger
        endOfTurn = EndOfTurn { [unowned self] in begin() }
        deadlines = DeadlineTimer { [unowned self] in deadlinePassed() }
    }

    /// Stores a quote, and waits until it is committed.
    ///
    /// One whose deadline passes meanwhile is stored all the same.
    func store(_ quote: FetchedQuote, deadline: Instant) async throws(QuoteStoreError) -> StoredQuote {
        guard batches.count < Self.quotesMax else { throw .overloaded }
        quotesBegun += 1
        let promise = Promise<StoredQuote, QuoteStoreError>()
        waiters[quotesBegun] = Waiter(promise: promise, deadline: deadline)
        batches.offered((quotesBegun, quote))
        deadlines?.fire(noLaterThan: deadline)
        endOfTurn?.schedule()
        return try await promise.value
    }

    private func deadlinePassed() {
        let late = waiters.filter { $0.value.deadline <= Reactor.now }
        for number in late.keys { answer(number, .failure(.unavailable)) }
        if let next = waiters.values.lazy.map(\.deadline).min() { deadlines?.fire(noLaterThan: next) }
    }

    private func answer(_ number: Int, _ result: Result<StoredQuote, QuoteStoreError>) {
        waiters.removeValue(forKey: number)?.promise.settle(result)
    }

    // MARK: Commits

    /// When providers were asked is told by the database's clock, as is later how long ago that was: the clock of the
    /// process that asked may differ from that of the one that wants to know.
    private static let storeQuotes = PostgresStatement(
        """
        select price_id, raw_response_id
        from store_quotes(
            $1::text[], $2::text[], $3::numeric[], $4::text[], $5::timestamptz[],
            array(
                select clock_timestamp() - a.milliseconds * interval '1 ms'
                from unnest($6::bigint[]) with ordinality as a (milliseconds, place)
                order by a.place
            ),
            $7::bytea[]
        )
        """
    )

    private func begin() {
        guard let batch = batches.next() else { return }
        let start = Reactor.now
        let parameters: [PostgresParameter] = [
            .array(batch.lazy.map(\.quote.quote.provider)),
            .array(batch.lazy.map(\.quote.quote.symbol.text)),
            .array(batch.lazy.map(\.quote.quote.price.text)),
            .arrayWithNulls(batch.lazy.map(\.quote.quote.currency)),
            .array(batch.lazy.map(\.quote.quote.time.description)),
            .array(batch.lazy.map { String((start - $0.quote.askedAt).millisecondsRoundedUp) }),
            .array(batch.lazy.map { "\\x" + Hexadecimal.text($0.quote.raw.utf8) }),
        ]
        database.query(Self.storeQuotes, parameters, deadline: start + Self.commitTimeout) { [self] result in
            commitTimes.observe(Reactor.now - start)
            switch result {
            case .success(let rows): committed(batch.map(\.number), rows)
            case .failure(let error): failed(batch.map(\.number), error)
            }
            begin()
        }
    }

    private func committed(_ numbers: [Int], _ rows: PostgresResult) {
        batches.ended()
        storedCount += numbers.count
        for (row, number) in numbers.enumerated() {
            guard let priceID = rows.int64(row, 0), let rawResponseID = rows.int64(row, 1) else {
                preconditionFailure("store_quotes returns two ids for each quote")
            }
            answer(number, .success(StoredQuote(priceID: priceID, rawResponseID: rawResponseID)))
        }
        onCommitted()
    }

    private func failed(_ numbers: [Int], _ error: PostgresError) {
        if let unsaid = failures.isDue(at: Reactor.now) {
            logger.warning(
                "prices were not stored",
                metadata: ["reason": "\(error)", "prices": "\(numbers.count)", "unsaid": "\(unsaid)"]
            )
        }
        if error.isAboutValues {
            if let (number, _) = batches.refused() { answer(number, .failure(.refused)) }
        } else {
            batches.ended()
            for number in numbers { answer(number, .failure(.unavailable)) }
        }
    }
}

extension PostgresError {
    /// Class 22 is a value that cannot be, class 23 one that the table does not take.
    fileprivate var isAboutValues: Bool {
        switch self {
        case .server(let error): error.sqlState.code.hasPrefix("22") || error.sqlState.code.hasPrefix("23")
        case .unencodable: true
        case .unavailable, .overloaded, .timedOut, .connectionLost: false
        }
    }
}
