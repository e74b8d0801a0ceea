internal import Metrics

extension RelayMachine {
    /// The bounds.
    public struct Limits: Sendable {
        /// Messages that are being sent or looked up.
        public var inFlightMax = 256
        /// Messages of one claim.
        var claimMax = 500
        /// Settlements of one statement.
        var settleMax = 500
        /// Statements with settlements at once.
        var settlingMax = 2
        /// How long a lease lasts.
        public var lease = Duration.seconds(10)
        /// From one look for messages to the next, without a hint.
        public var pollInterval = Duration.milliseconds(500)
        /// How often it is looked from the beginning, for what a transaction that was undone had locked.
        public var sweepInterval = Duration.seconds(5)
        /// How often it is looked for relays that have died.
        var takeOverInterval = Duration.seconds(2)
        /// Waiting before the second attempt, at most.
        var backoffFirst = Duration.milliseconds(100)
        /// Waiting before any attempt, at most.
        public var backoffCap = Duration.seconds(60)
        /// Waiting after the database did not do as asked, at most at first.
        var databaseBackoffFirst = Duration.milliseconds(100)
        /// The same, at most ever.
        var databaseBackoffCap = Duration.seconds(5)
        /// Failures in a row after which attempts stop.
        var failuresMax = 20
        /// For how long at first.
        var openingFirst = Duration.milliseconds(200)
        /// For how long at most.
        var openingCap = Duration.seconds(2)
        /// How many are in flight after the first success.
        var windowAfterOutage = 8
        /// Whether the destination has to be asked before an uncertain message is sent again.
        public var looksUpFirst = false
        /// How long after its sending a message may still take effect.
        public var settleTime = Duration.seconds(30)

        /// The defaults.
        public init() {}

        /// What remains of a lease when it is not used any more: for clocks that run at different speeds.
        var leaseReserve: Duration { lease / 10 }
    }

    /// Figures for metrics.
    public struct Counters: Hashable, Sendable {
        private static let outcomes = Metric.counter(
            "tickloop_outbox_outcomes_total",
            "What came of messages.",
            labels: "outcome"
        )

        @Counter("tickloop_outbox_claimed_total", "Messages claimed.") package var claimed = 0
        @Counter("tickloop_outbox_taken_over_total", "Claims taken over from workers that died.")
        var takenOver = 0
        /// Messages sent.
        var attempts = 0
        /// Messages looked up.
        var lookUps = 0
        /// Those that the destination has.
        @Counter(Self.outcomes, "done") package var done = 0
        /// Those that it refused for good.
        @Counter(Self.outcomes, "refused") package var refused = 0
        /// Those whose time had passed.
        @Counter(Self.outcomes, "expired") package var expired = 0
        /// Attempts without effect.
        @Counter(Self.outcomes, "failed") package var failed = 0
        /// Attempts whose outcome is not known.
        @Counter(Self.outcomes, "unknown") package var unknown = 0
        @Counter("tickloop_outbox_leases_lost_total", "Leases that ended before they were renewed.")
        var leasesLost = 0
        /// How often attempts were stopped.
        var openings = 0
    }
}
