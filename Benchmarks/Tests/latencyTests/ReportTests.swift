import Testing

@testable import latency

@Suite struct ReportTests {
    private let report: Report

    init() throws {
        var tally = Tally()
        for milliseconds in 1...1000 {
            tally.scheduled(sentLateBy: .microseconds(20))
            tally.answered(200, after: .milliseconds(milliseconds))
        }
        tally.answered(503, after: .milliseconds(1))
        tally.answered(404, after: .milliseconds(1))
        tally.failed("connection lost")
        tally.measured = .seconds(10)
        report = Report(rate: 100, results: [TargetResult(try #require(Target("a<b=http://127.0.0.1:1")), tally)])
    }

    @Test func `the table has percentiles, the achieved rate, and errors by kind`() {
        let lines = report.table.split(separator: "\n")
        #expect(lines[1] == "| target | answers/s |  p50 ms |  p90 ms |  p99 ms | p99.9 ms |   max ms | 503 | errors |")
        #expect(lines[3].hasPrefix("| a<b    |     100.0 | 500."))
        #expect(lines[3].hasSuffix(" |   1 |      2 |"))
        #expect(lines.suffix(2) == ["  1 × connection lost", "  1 × status 404"])
    }

    @Test func `the plot names its curves and stays on the page`() {
        let svg = PercentilePlot(report).svg
        #expect(svg.contains(">a&lt;b</text>"))
        #expect(svg.contains(">99.9 %</text>"))
        #expect(!svg.contains("nan") && !svg.contains("inf"))
        for point in svg.matches(of: /(-?[0-9.]+),(-?[0-9.]+)/) {
            #expect((0...960).contains(Double(point.1)!))
            #expect((0...540).contains(Double(point.2)!))
        }
    }

    @Test func `JSON has the same in microseconds`() {
        #expect(
            report.json.hasPrefix(#"{"rate":100.0,"targets":[{"name":"a<b","path":"/prices/average","scheduled":1000"#)
        )
        #expect(report.json.contains(#""errors":{"connection lost":1,"status 404":1}"#))
    }

    @Test(arguments: [
        (0.0, 1, "0.0"), (1.05, 1, "1.1"), (1234.5678, 3, "1234.568"), (-0.001, 2, "0.00"), (-1.5, 1, "-1.5"),
    ])
    func `numbers have the digits asked for`(number: Double, digits: Int, text: String) {
        #expect(number.text(digits: digits) == text)
    }
}
