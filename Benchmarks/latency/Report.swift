import Histogram
import JSONWire

/// What is known of one target at the end.
struct TargetResult: Sendable {
    let target: Target
    let tally: Tally

    init(_ target: Target, _ tally: Tally) {
        self.target = target
        self.tally = tally
    }
}

/// All results of a run, as a table and as JSON.
struct Report: Sendable {
    let rate: Double
    let results: [TargetResult]

    static let percentiles: [(name: String, percentile: Double)] = [
        ("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9), ("max", 100),
    ]

    /// In Markdown; latencies in milliseconds, of answers that are no errors.
    var table: String {
        var rows = [["target", "answers/s"] + Self.percentiles.map { "\($0.name) ms" } + ["503", "errors"]]
        for result in results {
            let tally = result.tally
            rows.append(
                [result.target.name, tally.achievedRate.text(digits: 1)]
                    + Self.percentiles.map { tally.answers.milliseconds(at: $0.percentile) }
                    + ["\(tally.refusals.totalCount)", "\(tally.errorCount)"]
            )
        }
        var lines = ["\(rate.text(digits: 1)) requests/s, latency from the intended time of sending\n"]
        lines += aligned(rows)
        for result in results { lines += remarks(on: result) }
        return lines.joined(separator: "\n")
    }

    private func remarks(on result: TargetResult) -> [String] {
        let tally = result.tally
        var lines = [
            "\n\(result.target.name): sent late by p50 \(tally.lateness.milliseconds(at: 50)) ms, "
                + "p99 \(tally.lateness.milliseconds(at: 99)) ms"
        ]
        if tally.refusals.totalCount > 0 {
            let refusals = tally.refusals
            lines.append(
                "  503 after p50 \(refusals.milliseconds(at: 50)) ms, p99 \(refusals.milliseconds(at: 99)) ms"
            )
        }
        lines += tally.errors.sorted { $0.key < $1.key }.map { "  \($0.value) × \($0.key)" }
        return lines
    }

    /// The first column to the left, the others to the right.
    private func aligned(_ rows: [[String]]) -> [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var lines = rows.map { row in
            let cells = zip(row, widths).enumerated().map { column, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 0 ? cell.0 + padding : padding + cell.0
            }
            return "| \(cells.joined(separator: " | ")) |"
        }
        let rule = widths.enumerated().map { column, width in
            String(repeating: "-", count: column == 0 ? width + 2 : width + 1) + (column == 0 ? "" : ":")
        }
        lines.insert("|\(rule.joined(separator: "|"))|", at: 1)
        return lines
    }
}

// MARK: - JSON

extension Report {
    /// For machines; times in microseconds.
    var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("rate")
            writer.number(rate)
            writer.key("targets")
            writer.array { writer in for result in results { result.write(to: &writer) } }
        }
        return writer.description + "\n"
    }
}

extension TargetResult {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("name", target.name)
            writer.member("path", target.path)
            writer.member("scheduled", tally.scheduledCount)
            writer.key("achieved_rate")
            writer.number(tally.achievedRate)
            for (name, histogram) in [
                ("answers", tally.answers), ("refusals", tally.refusals), ("sent_late", tally.lateness),
            ] {
                writer.key(name)
                histogram.write(to: &writer)
            }
            writer.key("errors")
            writer.object { writer in
                for (kind, count) in tally.errors.sorted(by: { $0.key < $1.key }) { writer.member(kind, count) }
            }
        }
    }
}

extension Histogram<UInt64> {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("count", Int(totalCount))
            for (name, percentile) in Report.percentiles {
                writer.key("\(name)_us")
                writer.number(totalCount == 0 ? 0 : Double(valueAtPercentile(percentile)) / 1000)
            }
        }
    }

    fileprivate func milliseconds(at percentile: Double) -> String {
        totalCount == 0 ? "–" : (Double(valueAtPercentile(percentile)) / 1e6).text(digits: 3)
    }
}

extension Double {
    /// With so many digits behind the point.
    func text(digits: Int) -> String {
        let scale = (0..<digits).reduce(1) { product, _ in product * 10 }
        let scaled = Int((magnitude * Double(scale)).rounded())
        let fraction = "\(scaled % scale)"
        let sign = self < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(scaled)" }
        return "\(sign)\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
