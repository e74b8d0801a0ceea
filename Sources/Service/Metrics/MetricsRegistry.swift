internal import Metrics
public import Reactor

/// The parts of a process that have something to tell when its metrics are asked for.
///
/// Whoever counts, counts in plain integers of its own; they are read only when somebody asks. So a request costs what
/// it costs to count.
@ReactorActor
public final class MetricsRegistry {
    private struct Part {
        let measured: any Measured
        let label: (name: String, value: String)?
    }

    private var parts: [Part] = []
    /// The metrics that the process tells of itself, series by series.
    private var announced = AnnouncedFigures.kept

    /// A registry without parts.
    init() {}

    /// Adds a part.
    ///
    /// - Parameters:
    ///   - label: What all its samples have in front of their own labels, where there are several such parts.
    ///   - announcing: Those of its metrics that the console shows.
    package func register(
        _ part: any Measured,
        _ label: (name: String, value: String)? = nil,
        announcing: Set<String> = []
    ) {
        parts.append(Part(measured: part, label: label))
        announced.formUnion(announcing)
    }

    /// What of `/metrics` the process tells of itself now: series, and sums over those of some metrics.
    func announcedFigures() async -> [(name: String, value: String)] {
        var figures: [(name: String, value: String)] = []
        var sums: [String: Double] = [:]
        for line in await page().split(separator: UInt8(ascii: "\n")) where line.first != UInt8(ascii: "#") {
            guard let space = line.lastIndex(of: UInt8(ascii: " ")) else { continue }
            let bare = line.prefix { $0 != UInt8(ascii: "{") && $0 != UInt8(ascii: " ") }
            let name = String(decoding: bare, as: UTF8.self)
            let value = String(decoding: line[(space + 1)...], as: UTF8.self)
            if announced.contains(name) { figures.append((String(decoding: line[..<space], as: UTF8.self), value)) }
            if AnnouncedFigures.summed.contains(name) { sums[name, default: 0] += Double(value) ?? 0 }
        }
        return sums.sorted { $0.key < $1.key }.map { ($0.key, String($0.value)) } + figures
    }

    /// What `/metrics` answers now.
    func page() async -> [UInt8] {
        for part in parts { await part.measured.refresh() }
        var page = MetricsPage()
        for part in parts {
            if let label = part.label {
                page.labelled(label.name, label.value) { part.measured.collect(into: &$0) }
            } else {
                part.measured.collect(into: &page)
            }
        }
        return page.text
    }
}
