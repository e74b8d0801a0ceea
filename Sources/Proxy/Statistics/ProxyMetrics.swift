internal import HTTPClient
internal import HTTPWire
internal import Metrics
internal import Reactor

/// What became of the requests of one route.
@ReactorActor
final class ProxyFigures {
    private static let requests = Metric.counter(
        "tickloop_proxy_requests_total",
        "Requests that a route passed on, by what became of them.",
        labels: "outcome"
    )

    /// By the last word on the request.
    enum Outcome: Int, CaseIterable {
        case success
        case redirection
        case clientError
        case serverError
        /// The upstream gave no answer.
        case failed
        /// The upstream's answer broke off.
        case cut
        /// The client left.
        case abandoned

        var label: String {
            switch self {
            case .success: "2xx"
            case .redirection: "3xx"
            case .clientError: "4xx"
            case .serverError: "5xx"
            case .failed: "failed"
            case .cut: "cut"
            case .abandoned: "abandoned"
            }
        }
    }

    /// By outcome.
    private var counts = [Int](repeating: 0, count: Outcome.allCases.count)
    private let duration = Histogram(
        "tickloop_proxy_request_duration_seconds",
        "Time from the head of a request to the last byte of its answer."
    )

    func collect(into page: inout MetricsPage) {
        page.add(duration)
        for outcome in Outcome.allCases {
            page.add(Self.requests, counts[outcome.rawValue], [outcome.label])
        }
    }

    func count(_ outcome: ProxiedOutcome) {
        duration.observe(outcome.duration)
        counts[Self.outcome(outcome.result).rawValue] += 1
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

extension Proxy: Measured {
    private static let cacheRequests = Metric.counter(
        "tickloop_proxy_cache_requests_total",
        "Requests of routes with a cache, by what it did for them.",
        labels: "outcome"
    )
    private static let cacheBytes = Metric.gauge("tickloop_proxy_cache_bytes", "Bytes that the cache keeps.")
    private static let cacheTargets = Metric.gauge(
        "tickloop_proxy_cache_targets",
        "Targets of which answers are kept."
    )
    private static let cacheEvictions = Metric.counter(
        "tickloop_proxy_cache_evictions_total",
        "Targets that were dropped to make room."
    )
    private static let statisticsRows = Metric.counter(
        "tickloop_proxy_statistics_total",
        "Requests whose row was taken, or dropped because there was no room for it.",
        labels: "outcome"
    )

    func collect(into page: inout MetricsPage) {
        for (route, figures) in figures.sorted(by: { $0.key < $1.key }) {
            page.labelled("route", route) { figures.collect(into: &$0) }
        }
        for outcome in CacheOutcome.allCases {
            page.add(Self.cacheRequests, cache.count(outcome), [outcome.label])
        }
        page.add(Self.cacheBytes, cache.byteCount)
        page.add(Self.cacheTargets, cache.count)
        page.add(Self.cacheEvictions, cache.evictions)
        page.add(Self.statisticsRows, statistics?.recorded ?? 0, ["recorded"])
        page.add(Self.statisticsRows, statistics?.dropped ?? 0, ["dropped"])
        for (name, client) in clients { page.labelled("upstream", name) { client.collect(into: &$0) } }
    }
}
