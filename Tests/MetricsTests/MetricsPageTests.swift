import Metrics
import Testing

@Suite struct MetricsPageTests {
    private static let requests = Metric.counter("http_requests_total", "Requests answered.", labels: "route", "status")
    private static let open = Metric.gauge("open_connections", "Connections open now.")
    private static let latency = Metric.histogram("latency_seconds", "Time to the answer.", labels: "route")

    private func text(_ fill: (inout MetricsPage) -> Void) -> String {
        var page = MetricsPage()
        fill(&page)
        return String(decoding: page.text, as: UTF8.self)
    }

    @Test func `an empty page is empty`() {
        #expect(text { _ in } == "")
    }

    @Test func `samples of a metric stand together behind its help and type, in the order in which they came`() {
        let text = text { page in
            page.add(Self.requests, 2, ["/b", "200"])
            page.add(Self.open, 7)
            page.add(Self.requests, 1, ["/a", "404"])
        }
        #expect(
            text == """
                # HELP http_requests_total Requests answered.
                # TYPE http_requests_total counter
                http_requests_total{route="/b",status="200"} 2
                http_requests_total{route="/a",status="404"} 1
                # HELP open_connections Connections open now.
                # TYPE open_connections gauge
                open_connections 7

                """
        )
    }

    @Test func `what is announced is told series by series, or as one sum`() {
        let answered = Metric.counter("answered_total", "Answered.", labels: "route").announced(as: .sum)
        let time = Histogram(Metric.histogram("turn_seconds", "Turns.").announced(), bounds: [.seconds(1)])
        time.observe(.milliseconds(1500))
        var page = MetricsPage()
        page.add(Self.open.announced(), 7)
        page.labelled("upstream", "api") { $0.add(Self.requests.announced(), 2, ["/b", "200"]) }
        page.add(answered, 2, ["/a"])
        page.add(answered, 3, ["/b"])
        page.add(time)
        let told = page.announced.map { "\($0.name) \($0.value)" }
        #expect(
            told == [
                "answered_total 5.0", "open_connections 7",
                #"http_requests_total{upstream="api",route="/b",status="200"} 2"#,
                "turn_seconds_sum 1.5", "turn_seconds_count 1",
            ]
        )
    }

    private struct Figures {
        @Counter("seen_total", "Seen.") var seen = 0
        var untold = 7
        @Counter(MetricsPageTests.requests, "/a", "200") var answered = 0
        @Gauge("open_connections", "Connections open now.") var open = 0
    }

    @Test func `figures of a structure are told with the name that each was declared with`() {
        var figures = Figures()
        figures.seen += 3
        figures.answered += 1
        figures.open += 2
        figures.open -= 1
        figures.untold += 1
        let lines = text { page in
            page.labelled("upstream", "api") { page in
                page.add(figures)
                page.labelled("state", "x") { $0.gauge("inner", "Inside.", 1) }
            }
            page.gauge("outer", "Outside.", 2)
        }
        #expect(
            lines.split(separator: "\n").filter { !$0.hasPrefix("#") } == [
                #"seen_total{upstream="api"} 3"#, #"http_requests_total{upstream="api",route="/a",status="200"} 1"#,
                #"open_connections{upstream="api"} 1"#, #"inner{upstream="api",state="x"} 1"#, "outer 2",
            ]
        )
    }

    @Test func `what the format gives a meaning to is escaped`() {
        let odd = Metric.gauge("odd", "A \\ and\na \"line\".", labels: "path")
        let text = text { $0.add(odd, 1, ["a\\b\n\"c\" ü"]) }
        #expect(text.hasPrefix("# HELP odd A \\\\ and\\na \"line\".\n"))
        #expect(text.hasSuffix("\nodd{path=\"a\\\\b\\n\\\"c\\\" ü\"} 1\n"))
    }

    @Test(arguments: [
        (0.0, "0.0"), (0.25, "0.25"), (1e-9, "1e-09"), (-3.5, "-3.5"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
        (.nan, "NaN"),
    ])
    func `numbers are written as Go's parser reads them`(value: Double, expected: String) {
        #expect(text { $0.add(Self.open, value) }.hasSuffix("open_connections \(expected)\n"))
    }

    @Test func `durations are seconds, and yes or no is 1 or 0`() {
        #expect(text { $0.add(Self.open, Duration.milliseconds(1500)) }.hasSuffix(" 1.5\n"))
        #expect(text { $0.add(Self.open, true) }.hasSuffix(" 1\n"))
        #expect(text { $0.add(Self.open, false) }.hasSuffix(" 0\n"))
    }

    @Test func `the buckets of a histogram are cumulative and end with all`() {
        let histogram = Histogram(
            Self.latency,
            "/a",
            bounds: [.microseconds(250), .milliseconds(5), .seconds(1), .milliseconds(2500)]
        )
        // A bound belongs to the bucket that it ends.
        for duration in [Duration.zero, .microseconds(250), .microseconds(251), .seconds(1), .seconds(9)] {
            histogram.observe(duration)
        }
        histogram.observe(.milliseconds(2), times: 3)
        #expect(histogram.count == 8)
        #expect(histogram.sum == .seconds(10) + .microseconds(6501))
        let lines = text { $0.add(histogram) }.split(separator: "\n").dropFirst(2)
        #expect(
            Array(lines) == [
                #"latency_seconds_bucket{route="/a",le="0.00025"} 2"#,
                #"latency_seconds_bucket{route="/a",le="0.005"} 6"#,
                #"latency_seconds_bucket{route="/a",le="1"} 7"#,
                #"latency_seconds_bucket{route="/a",le="2.5"} 7"#,
                #"latency_seconds_bucket{route="/a",le="+Inf"} 8"#,
                #"latency_seconds_sum{route="/a"} 10.006501"#,
                #"latency_seconds_count{route="/a"} 8"#,
            ]
        )
    }

    @Test(arguments: [Histogram.request, Histogram.turn])
    func `every bound is a bucket of its own`(bounds: [Duration]) {
        let histogram = Histogram("latency_seconds", "Time to the answer.", bounds)
        for bound in bounds { histogram.observe(bound) }
        histogram.observe(.seconds(3600))
        #expect(histogram.counts == Array(repeating: 1, count: bounds.count + 1))
    }

    @Test func `a declaration against the conventions stops the program`() async {
        await #expect(processExitsWith: .failure) { _ = Metric.counter("requests", "Without its suffix.") }
        await #expect(processExitsWith: .failure) { _ = Metric.gauge("open_total", "With a suffix that lies.") }
        await #expect(processExitsWith: .failure) { _ = Metric.histogram("latency_ms", "Not in base units.") }
        await #expect(processExitsWith: .failure) { _ = Metric.gauge("Open-connections", "Not a name.") }
        await #expect(processExitsWith: .failure) { _ = Metric.gauge("open", "Reserved.", labels: "le") }
    }
}
