internal import Metrics
public import Outbox
internal import Reactor

extension Metric {
    fileprivate static let attempts = histogram(
        "tickloop_outbox_attempt_duration_seconds",
        "Time from sending a message, or looking it up, to its outcome.",
        labels: "destination"
    )
    fileprivate static let claims = histogram(
        "tickloop_outbox_claim_duration_seconds",
        "Time from asking the database for messages to its answer.",
        labels: "destination"
    )
    fileprivate static let outcomes = counter(
        "tickloop_outbox_outcomes_total",
        "What came of messages.",
        labels: "destination",
        "outcome"
    )
    fileprivate static let claimed = counter(
        "tickloop_outbox_claimed_total",
        "Messages claimed.",
        labels: "destination"
    )
    fileprivate static let takenOver = counter(
        "tickloop_outbox_taken_over_total",
        "Claims taken over from workers that died.",
        labels: "destination"
    )
    fileprivate static let leasesLost = counter(
        "tickloop_outbox_leases_lost_total",
        "Leases that ended before they were renewed.",
        labels: "destination"
    )
    fileprivate static let inFlight = gauge(
        "tickloop_outbox_in_flight",
        "Messages being sent or looked up.",
        labels: "destination"
    )
    fileprivate static let held = gauge("tickloop_outbox_held", "Messages that are claimed.", labels: "destination")
    fileprivate static let open = gauge(
        "tickloop_outbox_open",
        "Whether attempts are stopped because all of them fail.",
        labels: "destination"
    )
}

extension MetricsRegistry {
    /// Adds what a relay counts.
    public func add(_ relay: Relay, destination: String) {
        add { page in
            let figures = relay.counters
            let outcomes = [
                ("done", figures.done), ("refused", figures.refused), ("expired", figures.expired),
                ("failed", figures.failed), ("unknown", figures.unknown),
            ]
            page.add(.attempts, relay.attemptTimes, [destination])
            page.add(.claims, relay.claimTimes, [destination])
            for (name, count) in outcomes { page.add(.outcomes, count, [destination, name]) }
            page.add(.claimed, figures.claimed, [destination])
            page.add(.takenOver, figures.takenOver, [destination])
            page.add(.leasesLost, figures.leasesLost, [destination])
            page.add(.inFlight, relay.inFlight, [destination])
            page.add(.held, relay.heldCount, [destination])
            page.add(.open, relay.isOpen, [destination])
        }
    }
}
