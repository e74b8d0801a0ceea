/// A number that its owner keeps, with its name and meaning; so a metric stands once, where it is counted.
///
///     struct Counters {
///         @Counter("tickloop_task_fetched_total", "Tasks read from the queue.") var fetched = 0
///         @Counter(outcomes, "late") var late = 0
///     }
///
///     counters.fetched += 1
///     page.add(counters)
///
/// Counting costs what it costs with a plain integer.
protocol Figure {
    var metric: Metric { get }
    var labels: [String] { get }
    var wrappedValue: Int { get }
}

/// What only grows; see ``MetricsPage/add(_:)``.
@propertyWrapper
public struct Counter: Figure, Hashable, Sendable {
    /// How much it is.
    public var wrappedValue: Int
    let metric: Metric
    let labels: [String]

    /// Declares a counter; the name ends in `_total`.
    public init(wrappedValue: Int, _ name: String, _ help: String) {
        self.init(wrappedValue: wrappedValue, .counter(name, help))
    }

    /// One of several series of a metric.
    ///
    /// - Parameter labels: The values of the metric's labels, in their order.
    public init(wrappedValue: Int, _ metric: Metric, _ labels: String...) {
        self.wrappedValue = wrappedValue
        self.metric = metric
        self.labels = labels
    }
}

/// What goes up and down; see ``MetricsPage/add(_:)``.
@propertyWrapper
public struct Gauge: Figure, Hashable, Sendable {
    /// How much it is.
    public var wrappedValue: Int
    let metric: Metric
    let labels: [String]

    /// Declares a gauge.
    public init(wrappedValue: Int, _ name: String, _ help: String) {
        self.init(wrappedValue: wrappedValue, .gauge(name, help))
    }

    /// One of several series of a metric.
    ///
    /// - Parameter labels: The values of the metric's labels, in their order.
    public init(wrappedValue: Int, _ metric: Metric, _ labels: String...) {
        self.wrappedValue = wrappedValue
        self.metric = metric
        self.labels = labels
    }
}
