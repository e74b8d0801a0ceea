/// What `/metrics` answers: values in Prometheus' text format, version 0.0.4.
///
/// Samples come in any order, also from several parts of a process for one metric; in the text, those of a metric
/// stand together behind its `HELP` and `TYPE`, as the format wants it.
///
/// - SeeAlso: Prometheus documentation, "Exposition formats".
public struct MetricsPage {
    /// The media type of ``text``.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// A metric, and its samples as they will stand in the text.
    private struct Family {
        let kind: Metric.Kind
        var text: [UInt8]
    }

    private var families: [Family] = []
    private var places: [String: Int] = [:]
    private var series: [(name: String, value: String)] = []
    private var sums: [String: Double] = [:]
    /// The labels that every sample has now, in front of its own.
    private var scope: [(String, String)] = []

    /// An empty page.
    public init() {}

    /// Adds the counters and gauges among the members of a structure.
    public mutating func add(_ figures: some Sendable) {
        for member in Mirror(reflecting: figures).children {
            guard let figure = member.value as? any Figure else { continue }
            add(figure.metric, figure.wrappedValue, figure.labels)
        }
    }

    /// Calls `body`, whose samples all have one label more.
    public mutating func labelled(_ name: String, _ value: String, _ body: (inout MetricsPage) -> Void) {
        scope.append((name, value))
        body(&self)
        scope.removeLast()
    }

    /// Adds a value.
    ///
    /// - Parameter labels: The values of the metric's labels, in their order.
    public mutating func add(_ metric: Metric, _ value: some MetricValue, _ labels: [String] = []) {
        append(metric, "", labels, value.metricText)
    }

    /// Adds what only grows, where nobody counts it; the name ends in `_total`.
    public mutating func counter(_ name: String, _ help: String, _ value: some MetricValue) {
        add(.counter(name, help), value)
    }

    /// Adds what goes up and down.
    public mutating func gauge(_ name: String, _ help: String, _ value: some MetricValue) {
        add(.gauge(name, help), value)
    }

    /// Adds a histogram.
    public mutating func add(_ value: Histogram) {
        let (metric, labels) = (value.metric, value.labels)
        precondition(metric.kind == .histogram, "\(metric.name) is not a histogram")
        var count = 0
        for (index, bucket) in value.counts.enumerated() {
            count += bucket
            let bound = index < value.bounds.count ? Self.text(ofBound: value.bounds[index]) : "+Inf"
            append(metric, "_bucket", labels, bound: bound, String(count))
        }
        append(metric, "_sum", labels, value.sum.metricText)
        append(metric, "_count", labels, String(count))
    }

    /// Everything that was added.
    public var text: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(families.reduce(0) { $0 + $1.text.count })
        for family in families { text.append(contentsOf: family.text) }
        return text
    }

    /// Of what was added, the series and sums that ``Metric/announced(as:)`` asks for; sums first, as they are few.
    public var announced: [(name: String, value: String)] {
        sums.sorted { $0.key < $1.key }.map { ($0.key, String($0.value)) } + series
    }

    // MARK: Text

    private mutating func append(
        _ metric: Metric,
        _ suffix: String,
        _ labels: [String],
        bound: String? = nil,
        _ value: String
    ) {
        precondition(labels.count == metric.labels.count, "\(metric.name) has the labels \(metric.labels)")
        var line = Array("\(metric.name)\(suffix)".utf8)
        var opening = UInt8(ascii: "{")
        for (name, label) in scope + zip(metric.labels, labels) {
            line.append(opening)
            line.append(contentsOf: "\(name)=\"".utf8)
            Self.append(escaping: label, quotes: true, to: &line)
            line.append(UInt8(ascii: "\""))
            opening = UInt8(ascii: ",")
        }
        if let bound {
            line.append(opening)
            line.append(contentsOf: "le=\"\(bound)\"".utf8)
            opening = UInt8(ascii: ",")
        }
        if opening == UInt8(ascii: ",") { line.append(UInt8(ascii: "}")) }
        switch metric.announcement {
        case .series where bound == nil: series.append((String(decoding: line, as: UTF8.self), value))
        case .sum where bound == nil: sums[metric.name, default: 0] += Double(value) ?? 0
        case .nothing, .series, .sum: break
        }
        line.append(contentsOf: " \(value)\n".utf8)
        let place = place(of: metric)
        precondition(families[place].kind == metric.kind, "\(metric.name) is declared as two kinds")
        families[place].text.append(contentsOf: line)
    }

    private mutating func place(of metric: Metric) -> Int {
        if let place = places[metric.name] { return place }
        var text = Array("# HELP \(metric.name) ".utf8)
        Self.append(escaping: metric.help, quotes: false, to: &text)
        text.append(contentsOf: "\n# TYPE \(metric.name) \(metric.kind.rawValue)\n".utf8)
        families.append(Family(kind: metric.kind, text: text))
        places[metric.name] = families.count - 1
        return families.count - 1
    }

    private static func append(escaping text: String, quotes: Bool, to bytes: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes.append(contentsOf: #"\\"#.utf8)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: #"\n"#.utf8)
            case UInt8(ascii: "\"") where quotes: bytes.append(contentsOf: #"\""#.utf8)
            default: bytes.append(byte)
            }
        }
    }

    /// Seconds in decimals, exactly, because the text of a bound is a part of its series' identity.
    private static func text(ofBound bound: Duration) -> String {
        let (seconds, attoseconds) = bound.components
        guard attoseconds > 0 else { return String(seconds) }
        let digits = String(attoseconds)
        var fraction = String(repeating: "0", count: 18 - digits.count) + digits
        while fraction.last == "0" { fraction.removeLast() }
        return "\(seconds).\(fraction)"
    }
}
