package import Metrics
internal import Postgres
internal import Reactor

// What the slice counts and measures, for `/metrics`: names and meanings are here, the counting is where it happens.

extension Metric {
    fileprivate static let oldestUnplaced = gauge(
        "tickloop_orders_oldest_unplaced_age_seconds",
        "How long the order waits for being placed that has waited longest, of those that nobody holds; 0 if none does."
    )
    fileprivate static let unplaced = gauge(
        "tickloop_orders_unplaced",
        "Orders that wait for being placed, by whether an operator holds them.",
        labels: "state"
    )
    fileprivate static let expired = counter(
        "tickloop_orders_expired_total",
        "Orders that nobody had sent at their time of expiry."
    )
    fileprivate static let commits = counter(
        "tickloop_orders_commits_total",
        "Commits of the intake that had an outcome; each is for one or many orders."
    )
    fileprivate static let taken = counter("tickloop_orders_taken_total", "Orders that were committed, each a 201.")
    fileprivate static let untaken = counter(
        "tickloop_orders_not_taken_total",
        "Requests that are no new order: answered with that of an earlier request, refused, or failed.",
        labels: "reason"
    )
    fileprivate static let commitTimes = histogram(
        "tickloop_orders_commit_duration_seconds",
        "From sending a commit of the intake to its outcome."
    )
    fileprivate static let waiting = gauge(
        "tickloop_orders_waiting_requests",
        "Requests that wait for their order to be committed."
    )
    fileprivate static let streams = gauge("tickloop_orders_streams", "Streams of events of orders that are open.")
}

extension OrderRoutes {
    /// Adds what the intake and the streams count.
    package func addMetrics(to page: inout MetricsPage) {
        let counters = intake.counters
        page.add(.commits, counters.commits)
        page.add(.taken, counters.committedOrders)
        page.add(.untaken, counters.replayed, ["replayed"])
        page.add(.untaken, counters.refused, ["refused"])
        page.add(.untaken, counters.failed, ["failed"])
        page.add(.commitTimes, intake.commitTimes)
        page.add(.waiting, intake.requestCount)
        page.add(.streams, feed.streamCount)
    }
}

extension OrderUpkeep {
    /// What the tables say of the orders that wait for being placed.
    struct Backlog {
        var oldest = Duration.zero
        var waiting = 0
        var held = 0
    }

    private static let measure = PostgresStatement(
        reading: """
            select
                (
                    select (extract(epoch from clock_timestamp() - m.created_at) * 1000)::bigint
                    from outbox as m
                    left join outbox_attempts as a on a.message_id = m.id
                    where m.destination = 'exchange' and a.due_at is distinct from 'infinity'
                    order by m.id limit 1
                ),
                (select count(*) from outbox where destination = 'exchange'),
                (
                    select count(*) from outbox_attempts
                    where destination = 'exchange' and owner is null and due_at = 'infinity'
                )
            """
    )

    /// Asks the tables; what they do not say in time is not told, rather than an old value.
    package func measure() async {
        backlog = nil
        guard let result = try? await database.query(Self.measure, deadline: Reactor.now + .seconds(1)) else { return }
        let held = Int(result.int64(0, 2) ?? 0)
        backlog = Backlog(
            oldest: .milliseconds(result.int64(0, 0) ?? 0),
            waiting: Int(result.int64(0, 1) ?? 0) - held,
            held: held
        )
    }

    /// Adds what ``measure()`` has found, and what was done.
    package func addMetrics(to page: inout MetricsPage) {
        page.add(.expired, expiredCount)
        guard let backlog else { return }
        page.add(.oldestUnplaced, backlog.oldest)
        page.add(.unplaced, backlog.waiting, ["waiting"])
        page.add(.unplaced, backlog.held, ["held"])
    }
}
