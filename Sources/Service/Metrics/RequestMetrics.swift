internal import HTTPWire
internal import Metrics
internal import Reactor
internal import WebAPI

/// Counts requests by route, method and status, and measures how long they took.
///
/// No label is the client's to choose: a path that is not there is the route "other", and so is a method that nobody
/// knows. A request finds its place by two numbers and a comparison.
@ReactorActor
final class RequestMetrics: Measured {
    private static let requests = Metric.counter(
        "tickloop_http_requests_total",
        "Requests answered. What never became a request is in tickloop_http_refused_total.",
        labels: "route",
        "method",
        "status"
    ).announced(as: .sum)
    nonisolated private static let latency = Metric.histogram(
        "tickloop_http_request_duration_seconds",
        "Time from the head of a request to its answer.",
        labels: "route",
        "method"
    )

    /// What is counted by name.
    private static let methods: [HTTPMethod] = [.get, .post, .head, .delete, .put, .patch, .options]
    private static let other = "other"

    /// The requests of one path and method.
    private final class Counts {
        /// The status that came first, which is nearly always the one that nearly all have.
        let common: UInt16
        var commonCount = 0
        var others: [UInt16: Int] = [:]
        let labels: [String]
        let latency: Histogram

        init(_ route: String, _ method: String, common: UInt16) {
            labels = [route, method]
            latency = Histogram(RequestMetrics.latency, route, method)
            self.common = common
        }

        func count(_ status: UInt16) {
            if status == common { commonCount += 1 } else { others[status, default: 0] += 1 }
        }

        var statuses: [(status: UInt16, count: Int)] {
            [(common, commonCount)] + others.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        }
    }

    private let routes: [String]
    /// By route and method; made with the first request.
    private var table: [Counts?]

    /// - Parameter paths: Of the service, in the order in which answered requests name them.
    init(_ paths: [PathTemplate]) {
        routes = paths.map(\.description) + [Self.other]
        table = Array(repeating: nil, count: routes.count * (Self.methods.count + 1))
    }

    func record(_ answered: AnsweredRequest) {
        let method = Self.methods.firstIndex(of: answered.context.method) ?? Self.methods.count
        let place = (answered.context.resource ?? routes.count - 1) * (Self.methods.count + 1) + method
        let status = answered.status.rawValue
        let counts = table[place] ?? makeCounts(at: place, common: status)
        counts.count(status)
        counts.latency.observe(answered.duration)
    }

    func collect(into page: inout MetricsPage) {
        for case let counts? in table {
            for (status, count) in counts.statuses { page.add(Self.requests, count, counts.labels + [String(status)]) }
            page.add(counts.latency)
        }
    }

    private func makeCounts(at place: Int, common: UInt16) -> Counts {
        let (route, method) = place.quotientAndRemainder(dividingBy: Self.methods.count + 1)
        let counts = Counts(
            routes[route],
            method < Self.methods.count ? Self.methods[method].rawValue : Self.other,
            common: common
        )
        table[place] = counts
        return counts
    }
}
