internal import Metrics
internal import Reactor

extension ReportFollower: Measured {
    private static let alarmsMetric = Metric.counter(
        "tickloop_orders_report_alarms_total",
        "What must not be, by kind; the log names the orders.",
        labels: "kind"
    )

    func collect(into page: inout MetricsPage) {
        page.add(machine.counters)
        page.counter(
            "tickloop_orders_reports_repeated_total",
            "Reports that had come before.",
            machine.repeated
        )
        page.gauge(
            "tickloop_orders_reports_following",
            "Whether this worker is the one that takes reports in.",
            machine.isHolding
        )
        page.gauge(
            "tickloop_orders_reports_behind",
            "Reports that the exchange has and that are not stored; of the worker that takes them in.",
            machine.behind ?? 0
        )
        page.counter(
            "tickloop_orders_report_differences_total",
            "Events that a snapshot of the exchange brought and no report had.",
            differences
        )
        for kind in AlarmKind.allCases { page.add(Self.alarmsMetric, alarms[kind] ?? 0, [kind.rawValue]) }
    }
}
