internal import Logging
internal import Metrics
internal import Postgres
internal import Reactor
internal import Redis
internal import RedisStreams

/// What a worker does for prices as they come: runs the polling jobs, sends the events and keeps the averages.
@ReactorActor
final class MarketWork {
    /// The most that the figures of the database may take.
    private static let timeout = Duration.seconds(2)

    private let database: PostgresPool
    private let store: QuoteStore
    private let events: PriceEventProcessor
    private let poller: Poller
    private let rawAnswers: RawAnswerUpkeep
    private var figures: PostgresResult?

    /// Begins at once.
    ///
    /// - Parameters:
    ///   - storage: For prices that are stored, with one connection; see ``QuoteStore``.
    ///   - rawDays: For how many the answers of providers are kept; 0 for ever.
    ///   - provider: The provider of a name, or the one to be asked where a job names none.
    init(
        _ database: PostgresPool,
        storage: PostgresPool,
        redis: RedisClient,
        keepingRawDays rawDays: Int,
        logger: Logger,
        provider: @escaping @ReactorActor (String?) -> (any QuoteProvider)?
    ) {
        self.database = database
        store = QuoteStore(storage, logger: logger)
        let events = PriceEventProcessor(database, redis: redis, name: UUIDText.random(), logger: logger)
        self.events = events
        store.onCommitted = { events.wake() }
        poller = Poller(database, store: store, logger: logger, provider: provider)
        rawAnswers = RawAnswerUpkeep(database, keepingDays: rawDays, logger: logger)
    }

    /// Begins nothing new, and ends what is under way.
    func stop(within limit: Duration) async {
        let deadline = Reactor.now + limit
        rawAnswers.stop()
        await poller.stop(within: limit)
        await events.stop(within: max(.zero, deadline - Reactor.now))
    }
}

extension MarketWork: Measured {
    private static let jobs = Metric.gauge(
        "tickloop_polling_jobs",
        "Polling jobs, by state; the same from every worker.",
        labels: "state"
    )

    private static let measure = PostgresStatement(
        reading: """
            select *
            from (
                select
                    count(*) filter (where renew_at < 'infinity'),
                    coalesce(
                        extract(epoch from clock_timestamp() - min(stored_at) filter (where renew_at < 'infinity')), 0
                    )::float8,
                    count(*) filter (where renew_at = 'infinity')
                from price_events_due
            ) as events
            cross join (
                select
                    count(*) filter (where not paused and run_owner is null), count(*) filter (where paused),
                    count(*) filter (where not paused and run_owner is not null),
                    greatest(
                        coalesce(
                            extract(epoch from clock_timestamp() - min(next_run_at) filter (where not paused)), 0
                        ),
                        0
                    )::float8,
                    coalesce(sum(missed), 0)::bigint, coalesce(sum(skipped), 0)::bigint
                from polling_jobs
            ) as jobs
            """
    )

    /// Asks the database how things are.
    func refresh() async {
        figures = try? await database.query(Self.measure, deadline: Reactor.now + Self.timeout)
    }

    func collect(into page: inout MetricsPage) {
        page.gauge(
            "tickloop_market_up",
            "Whether the database said how events and polling jobs are; if not, there are no figures of them.",
            figures != nil
        )
        if let figures { collect(figures, into: &page) }
        page.counter(
            "tickloop_price_events_sent_total",
            "Events of prices that this process has put into the stream.",
            events.sentCount
        )
        page.counter(
            "tickloop_price_events_renewed_total",
            "Events that were lost, and that this process has made again.",
            events.renewedCount
        )
        page.labelled("group", PriceEvent.group) { $0.add(events.entryCounters) }
        page.add(poller.counters)
        page.add(poller.runTimes)
        page.add(store.commitTimes)
    }

    private func collect(_ figures: PostgresResult, into page: inout MetricsPage) {
        func number(_ column: Int) -> Int { Int(figures.int64(0, column) ?? 0) }
        func seconds(_ column: Int) -> Double { figures.text(0, column).flatMap { Double($0) } ?? 0 }
        page.gauge(
            "tickloop_price_events_behind",
            "Stored prices whose event has not had its effect yet; the same from every worker.",
            number(0)
        )
        page.gauge(
            "tickloop_price_events_oldest_age_seconds",
            "Age of the oldest stored price whose event has not had its effect yet; 0 without one.",
            seconds(1)
        )
        page.gauge(
            "tickloop_price_events_dead",
            "Stored prices whose event was given up; the same from every worker.",
            number(2)
        )
        page.add(Self.jobs, number(3), ["waiting"])
        page.add(Self.jobs, number(4), ["paused"])
        page.add(Self.jobs, number(5), ["running"])
        page.gauge(
            "tickloop_polling_late_seconds",
            "How long the job has been due that has been due for longest; 0 if none is.",
            seconds(6)
        )
        page.gauge(
            "tickloop_polling_moments_missed",
            "Due moments of the jobs there are at which no worker looked; the same from every worker.",
            number(7)
        )
        page.gauge(
            "tickloop_polling_moments_skipped",
            "Due moments of the jobs there are at which the run before was under way; the same from every worker.",
            number(8)
        )
    }
}
