import Glibc
import Histogram

/// Latency over percentile, one curve for each target, as SVG.
///
/// The horizontal axis is logarithmic in what lies *above* a percentile, so that p90, p99 and p99.9 are equally far
/// apart and the tail, which is what one looks for, has room.
struct PercentilePlot {
    /// Okabe and Ito's palette: told apart also by the colour-blind, and in grey.
    private static let colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]
    private static let width = 960.0
    private static let height = 540.0
    private static let left = 84.0
    private static let right = 936.0
    private static let bottom = 478.0

    private struct Curve {
        let name: String
        let color: String
        /// Fraction of the requests that are slower, and nanoseconds.
        let points: [(slower: Double, nanoseconds: Double)]
    }

    private let title: String
    private let curves: [Curve]
    private let top: Double
    /// Powers of ten that the axes reach to.
    private let nines: Double
    private let scale: (low: Double, high: Double)

    init(_ report: Report) {
        title = "Latency at \(report.rate.text(digits: 0)) requests/s, from the intended time of sending"
        let results = report.results.filter { $0.tally.answers.totalCount > 0 }
        curves = results.enumerated().map { index, result in
            Curve(
                name: result.target.name,
                color: Self.colors[index % Self.colors.count],
                points: Self.points(of: result.tally.answers)
            )
        }
        top = 56 + 20 * Double(max(1, curves.count))
        let points = curves.flatMap(\.points)
        nines = max(2, points.map { -log10($0.slower) }.max() ?? 2)
        let values = points.map(\.nanoseconds).filter { $0 > 0 }
        scale = Self.scale(from: values.min() ?? 1e5, to: values.max() ?? 1e7)
    }

    private static func points(of histogram: Histogram<UInt64>) -> [(slower: Double, nanoseconds: Double)] {
        // Past the last request there is nothing to know.
        let least = 1 / Double(histogram.totalCount)
        return histogram.percentiles(ticksPerHalfDistance: 16).map { step in
            (slower: max(least, 1 - step.percentile / 100), nanoseconds: Double(max(1, step.value)))
        }
    }

    /// The numbers 1, 2 and 5 times a power of ten around two values.
    private static func scale(from low: Double, to high: Double) -> (low: Double, high: Double) {
        let steps = ticks(from: low / 5, to: high * 5)
        return (steps.last { $0 <= low } ?? low, steps.first { $0 >= high } ?? high)
    }

    private static func ticks(from low: Double, to high: Double) -> [Double] {
        var ticks: [Double] = []
        for exponent in Int(log10(low)) - 1...Int(log10(high)) + 1 {
            let power = pow(10, Double(exponent))
            for tick in [power, 2 * power, 5 * power] where tick >= low * 0.999 && tick <= high * 1.001 {
                ticks.append(tick)
            }
        }
        return ticks
    }

    // MARK: Places on the page

    private func x(_ slower: Double) -> Double { Self.left - log10(slower) / nines * (Self.right - Self.left) }

    private func y(_ nanoseconds: Double) -> Double {
        Self.bottom - log10(nanoseconds / scale.low) / log10(scale.high / scale.low) * (Self.bottom - top)
    }

    // MARK: The parts

    /// The whole picture.
    var svg: String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.width.text(digits: 0)) \
        \(Self.height.text(digits: 0))" font-family="sans-serif" font-size="13" fill="#222">
        <rect width="100%" height="100%" fill="#fff"/>
        \(text(title, Self.left, 26, #"font-size="16""#))
        \((grid + axes + legend + curves.map(path)).joined(separator: "\n"))
        </svg>

        """
    }

    private var grid: [String] {
        let across = Self.ticks(from: scale.low, to: scale.high).flatMap { value in
            [
                line(Self.left, y(value), Self.right, y(value)),
                text(Self.time(value), Self.left - 8, y(value) + 4, #"text-anchor="end""#),
            ]
        }
        let labels = [(1.0, "0"), (0.5, "50 %"), (0.1, "90 %")]
        let tail = (2...max(2, Int(nines))).map { count in
            (pow(10, -Double(count)), "99" + (count > 2 ? "." + String(repeating: "9", count: count - 2) : "") + " %")
        }
        let down = (labels + tail).flatMap { slower, label in
            [
                line(x(slower), top, x(slower), Self.bottom),
                text(label, x(slower), Self.bottom + 20, #"text-anchor="middle""#),
            ]
        }
        return across + down
    }

    private var axes: [String] {
        [
            text("percentile of the answers", (Self.left + Self.right) / 2, Self.bottom + 44, #"text-anchor="middle""#),
            #"<path d="M\#(point(Self.left, top)) V\#(Self.bottom) H\#(Self.right)" fill="none" stroke="black"/>"#,
        ]
    }

    private var legend: [String] {
        curves.enumerated().flatMap { index, curve in
            let height = 50 + 20 * Double(index)
            return [
                line(Self.left, height - 4, Self.left + 28, height - 4, curve.color, 3),
                text(curve.name, Self.left + 36, height),
            ]
        }
    }

    private func path(_ curve: Curve) -> String {
        let points = curve.points.map { point(x($0.slower), y($0.nanoseconds)) }.joined(separator: " ")
        return #"<polyline points="\#(points)" fill="none" stroke="\#(curve.color)" stroke-width="2"/>"#
    }

    // MARK: Elements

    private func point(_ x: Double, _ y: Double) -> String { "\(x.text(digits: 1)),\(y.text(digits: 1))" }

    private func line(
        _ x1: Double,
        _ y1: Double,
        _ x2: Double,
        _ y2: Double,
        _ color: String = "#ddd",
        _ width: Int = 1
    ) -> String {
        let (from, to) = (point(x1, y1), point(x2, y2))
        return #"<path d="M\#(from) L\#(to)" stroke="\#(color)" stroke-width="\#(width)"/>"#
    }

    private func text(_ words: String, _ x: Double, _ y: Double, _ attributes: String = "") -> String {
        let escaped = words.flatMap { letter -> String in
            switch letter {
            case "&": "&amp;"
            case "<": "&lt;"
            case ">": "&gt;"
            default: String(letter)
            }
        }
        return #"<text x="\#(x.text(digits: 1))" y="\#(y.text(digits: 1))" \#(attributes)>\#(String(escaped))</text>"#
    }

    private static func time(_ nanoseconds: Double) -> String {
        switch nanoseconds {
        case ..<0.999e3: "\(nanoseconds.text(digits: 0)) ns"
        case ..<0.999e6: "\((nanoseconds / 1e3).text(digits: 0)) µs"
        case ..<0.999e9: "\((nanoseconds / 1e6).text(digits: 0)) ms"
        default: "\((nanoseconds / 1e9).text(digits: 0)) s"
        }
    }
}
