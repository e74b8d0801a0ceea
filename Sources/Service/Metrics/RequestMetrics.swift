internal import HTTPServer
internal import HTTPWire
internal import Metrics
internal import Reactor
internal import WebAPI

extension Metric {
    fileprivate static let requests = counter(
        "tickloop_http_requests_total",
        "Requests answered. What never became a request is in tickloop_http_refused_total.",
        labels: "route",
        "method",
        "status"
    )
    fileprivate static let latency = histogram(
        "tickloop_http_request_duration_seconds",
        "Time from the head of a request to its answer.",
        labels: "route",
        "method"
    )
    fileprivate static let errors = counter(
        "tickloop_http_errors_total",
        "Error answers made by this process, by their code.",
        labels: "code"
    )
    fileprivate static let inFlight = gauge("tickloop_http_requests_in_flight", "Requests being answered now.")
    fileprivate static let inFlightLimit = gauge(
        "tickloop_http_requests_in_flight_limit",
        "Requests that may be in flight; further ones get 503."
    )
    fileprivate static let refused = counter(
        "tickloop_http_refused_total",
        "Requests and connections refused before a route was looked for.",
        labels: "reason"
    )
    fileprivate static let abandoned = counter(
        "tickloop_http_requests_abandoned_total",
        "Requests whose client left before the answer."
    )
    fileprivate static let open = gauge("tickloop_http_connections", "Connections of clients open now.")
    fileprivate static let openLimit = gauge(
        "tickloop_http_connections_limit",
        "Connections that may be open; for further ones the longest idle are closed."
    )
    fileprivate static let streams = gauge(
        "tickloop_http_streams",
        "Answers without an end under way now; they are not among the requests in flight."
    )
    fileprivate static let displaced = counter(
        "tickloop_http_connections_displaced_total",
        "Connections without a request that were closed to make room for newcomers."
    )
    fileprivate static let held = gauge(
        "tickloop_http_held_bytes",
        "Memory that waits for clients to read, or to send the rest of a request."
    )
    fileprivate static let heldLimit = gauge(
        "tickloop_http_held_bytes_limit",
        "Memory that may wait for clients; beyond, the connections that hold most are cut."
    )
    fileprivate static let shed = counter(
        "tickloop_http_connections_shed_total",
        "Connections cut because all together held more memory than they may."
    )
    fileprivate static let accepted = counter("tickloop_http_connections_accepted_total", "Connections accepted.")
    fileprivate static let shortages = counter(
        "tickloop_http_descriptor_shortages_total",
        "Times that accepting paused because descriptors ran out."
    )
}

/// Counts requests by route, method and status, and measures how long they took.
///
/// No label is the client's to choose: a path that is not there is the route "other", and so is a method that nobody
/// knows. A request finds its place by two numbers and a comparison.
@ReactorActor
final class RequestMetrics {
    /// What is counted by name.
    private static let methods: [HTTPMethod] = [.get, .post, .head, .delete, .put, .patch, .options]
    private static let other = "other"

    /// The requests of one path and method.
    private final class Counts {
        /// The status that came first, which is nearly always the one that nearly all have.
        let common: UInt16
        var commonCount = 0
        var others: [UInt16: Int] = [:]
        let latency = Histogram()

        init(common: UInt16) { self.common = common }

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
        let method = Self.methods.firstIndex(of: answered.context.head.method) ?? Self.methods.count
        let place = (answered.context.resource ?? routes.count - 1) * (Self.methods.count + 1) + method
        let status = answered.status.rawValue
        let counts = table[place] ?? makeCounts(at: place, common: status)
        counts.count(status)
        counts.latency.observe(answered.duration)
    }

    func collect(into page: inout MetricsPage) {
        for (place, counts) in table.enumerated() {
            guard let counts else { continue }
            let (route, method) = place.quotientAndRemainder(dividingBy: Self.methods.count + 1)
            let labels = [routes[route], method < Self.methods.count ? Self.methods[method].rawValue : Self.other]
            for (status, count) in counts.statuses { page.add(.requests, count, labels + [String(status)]) }
            page.add(.latency, counts.latency, labels)
        }
    }

    private func makeCounts(at place: Int, common: UInt16) -> Counts {
        let counts = Counts(common: common)
        table[place] = counts
        return counts
    }
}

extension MetricsRegistry {
    /// Adds what a server and its routes count.
    func add(_ server: HTTPServer, _ web: WebService, _ requests: RequestMetrics) {
        add { page in
            requests.collect(into: &page)
            // Also those that did not happen: the rate of a series that begins with its first error does not show it.
            for code in ErrorCode.allCases { page.add(.errors, web.errors[code] ?? 0, [code.rawValue]) }
            let counters = server.counters
            page.add(.inFlight, counters.openRequests)
            page.add(.inFlightLimit, server.requestLimit)
            page.add(.streams, counters.openStreams)
            page.add(.refused, counters.malformed, ["malformed"])
            page.add(.refused, counters.tooLarge, ["too_large"])
            page.add(.refused, counters.tooSlow, ["too_slow"])
            page.add(.refused, counters.overloads, ["overloaded"])
            page.add(.refused, counters.unanswered, ["unanswered"])
            page.add(.abandoned, counters.abandonedRequests)
            page.add(.open, counters.openConnections)
            page.add(.openLimit, server.configuration.connectionLimit)
            page.add(.accepted, counters.connections)
            page.add(.displaced, counters.displacedConnections)
            page.add(.held, server.heldBytes)
            page.add(.heldLimit, server.configuration.heldLimitBytes)
            page.add(.shed, counters.shedConnections)
            page.add(.shortages, counters.descriptorShortages)
        }
    }
}
