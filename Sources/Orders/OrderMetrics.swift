internal import Metrics
internal import Postgres
internal import Reactor

extension OrderRoutes: Measured {
    func collect(into page: inout MetricsPage) {
        page.add(intake.counters)
        page.add(intake.commitTimes)
        page.gauge(
            "tickloop_orders_waiting_requests",
            "Requests that wait for their order to be committed.",
            intake.requestCount
        )
        page.gauge(
            "tickloop_orders_streams",
            "Streams of events of orders that are open.",
            feed.streamCount
        )
    }
}

extension OrderUpkeep: Measured {
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
    func refresh() async {
        backlog = nil
        guard let result = try? await database.query(Self.measure, deadline: Reactor.now + .seconds(1)) else { return }
        let held = Int(result.int64(0, 2) ?? 0)
        backlog = Backlog(
            oldest: .milliseconds(result.int64(0, 0) ?? 0),
            waiting: Int(result.int64(0, 1) ?? 0) - held,
            held: held
        )
    }

    private static let unplaced = Metric.gauge(
        "tickloop_orders_unplaced",
        "Orders that wait for being placed, by whether an operator holds them.",
        labels: "state"
    )

    func collect(into page: inout MetricsPage) {
        page.counter(
            "tickloop_orders_expired_total",
            "Orders that nobody had sent at their time of expiry.",
            expiredCount
        )
        guard let backlog else { return }
        page.gauge(
            "tickloop_orders_oldest_unplaced_age_seconds",
            """
            How long the order waits for being placed that has waited longest, of those that nobody holds; 0 if none \
            does.
            """,
            backlog.oldest
        )
        page.add(Self.unplaced, backlog.waiting, ["waiting"])
        page.add(Self.unplaced, backlog.held, ["held"])
    }
}
