public import Metrics
public import Reactor

/// The parts of a process that have something to tell when its metrics are asked for.
///
/// Whoever counts, counts in plain integers of its own and knows nothing of metrics; what is here reads them, and only
/// when somebody asks. So a request costs what it costs to count, and the names are all in one folder, this one.
@ReactorActor
public final class MetricsRegistry {
    private var collectors: [@ReactorActor (inout MetricsPage) -> Void] = []
    private var refreshers: [@ReactorActor () async -> Void] = []

    /// A registry without parts.
    public init() {}

    /// Adds a part.
    ///
    /// - Parameters:
    ///   - refresh: Called first, where the values have to be asked for; it bounds its own time.
    ///   - collect: Adds the values to the page.
    public func add(
        refresh: (@ReactorActor () async -> Void)? = nil,
        _ collect: @escaping @ReactorActor (inout MetricsPage) -> Void
    ) {
        if let refresh { refreshers.append(refresh) }
        collectors.append(collect)
    }

    /// What `/metrics` answers now.
    func page() async -> [UInt8] {
        for refresh in refreshers { await refresh() }
        var page = MetricsPage()
        for collect in collectors { collect(&page) }
        return page.text
    }
}
