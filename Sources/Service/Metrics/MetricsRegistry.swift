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

    /// A registry without parts.
    init() {}

    /// Adds a part.
    ///
    /// - Parameter label: What all its samples have in front of their own labels, where there are several such parts.
    package func register(_ part: any Measured, _ label: (name: String, value: String)? = nil) {
        parts.append(Part(measured: part, label: label))
    }

    /// What is measured now.
    func page() async -> MetricsPage {
        for part in parts { await part.measured.refresh() }
        var page = MetricsPage()
        for part in parts {
            if let label = part.label {
                page.labelled(label.name, label.value) { part.measured.collect(into: &$0) }
            } else {
                part.measured.collect(into: &page)
            }
        }
        return page
    }
}
