public import Metrics
internal import HTTPWire
internal import Reactor

extension Metric {
    fileprivate static let requests = counter(
        "tickloop_proxy_requests_total",
        "Requests that a route passed on, by what became of them.",
        labels: "route",
        "outcome"
    )
    fileprivate static let duration = histogram(
        "tickloop_proxy_request_duration_seconds",
        "Time from the head of a request to the last byte of its answer.",
        labels: "route"
    )
    fileprivate static let statistics = counter(
        "tickloop_proxy_statistics_total",
        "Requests whose row was taken, or dropped because there was no room for it.",
        labels: "outcome"
    )
}

/// What became of the requests of one route.
@ReactorActor
final class ProxyFigures {
    /// By the last word on the request.
    enum Outcome: String, CaseIterable {
        case success = "2xx"
        case redirection = "3xx"
        case clientError = "4xx"
        case serverError = "5xx"
        /// The upstream gave no answer.
        case failed
        /// The upstream's answer broke off.
        case cut
        /// The client left.
        case abandoned
    }

    private(set) var counts: [Outcome: Int] = [:]
    let duration = Histogram()

    func count(_ outcome: ProxiedOutcome) {
        duration.observe(outcome.duration)
        counts[Self.outcome(outcome.result), default: 0] += 1
    }

    private static func outcome(_ result: ProxiedOutcome.Result) -> Outcome {
        switch result {
        case .answered(let status):
            switch status.code / 100 {
            case 5: .serverError
            case 4: .clientError
            case 3: .redirection
            default: .success
            }
        case .failed: .failed
        case .cut: .cut
        case .abandoned: .abandoned
        }
    }
}

extension Proxy {
    /// Adds what was counted to a page of metrics.
    public func collect(into page: inout MetricsPage) {
        for (route, figures) in figures.sorted(by: { $0.key < $1.key }) {
            page.add(.duration, figures.duration, [route])
            for outcome in ProxyFigures.Outcome.allCases {
                page.add(.requests, figures.counts[outcome] ?? 0, [route, outcome.rawValue])
            }
        }
        page.add(.statistics, statistics?.recorded ?? 0, ["recorded"])
        page.add(.statistics, statistics?.dropped ?? 0, ["dropped"])
    }
}
