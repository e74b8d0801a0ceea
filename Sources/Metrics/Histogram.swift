/// Durations, counted by how long they were.
///
/// Belongs to whoever measures and is only read when somebody asks for the metrics. An observation costs a few
/// comparisons and two additions, some 10 ns: no lock, because all of a process happens on one thread, no allocation,
/// and no division, because attoseconds are compared and added as they are.
public final class Histogram {
    let metric: Metric
    /// The values of the metric's labels.
    let labels: [String]
    /// The upper bounds of the buckets, each inclusive, in ascending order; one more bucket is for what is longer.
    let bounds: [Duration]
    /// The same in attoseconds, as they are compared.
    private let limits: [Int128]
    /// In the object itself: an array would be asked each time whether it is shared, and that costs more than the rest.
    private var buckets = InlineArray<17, Int>(repeating: 0)
    private var total: Int128 = 0

    /// Declares a histogram; the name ends in `_seconds`.
    ///
    /// - Parameter bounds: Ascending, 1 to 16; ``request`` or ``turn``, unless there is a reason.
    public convenience init(_ name: String, _ help: String, _ bounds: [Duration] = Histogram.request) {
        self.init(.histogram(name, help), bounds: bounds)
    }

    /// One of several series of a metric.
    ///
    /// - Parameters:
    ///   - labels: The values of the metric's labels, in their order.
    ///   - bounds: Ascending, 1 to 16; ``request`` or ``turn``, unless there is a reason.
    public init(_ metric: Metric, _ labels: String..., bounds: [Duration] = Histogram.request) {
        self.metric = metric
        self.labels = labels
        precondition((1..<buckets.count).contains(bounds.count), "each bound has a bucket, and so has what is longer")
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "bounds ascend")
        self.bounds = bounds
        limits = bounds.map(\.attoseconds)
    }

    /// Counts a duration.
    ///
    /// - Parameter times: How often, for things that took equally long because they were done together.
    public func observe(_ duration: Duration, times: Int = 1) {
        let value = duration.attoseconds
        let limits = limits
        var index = 0
        // From the short end, where most of them are: a search by halves would need more steps for these.
        while index < limits.count, limits[index] < value { index += 1 }
        buckets[index] += times
        total += times == 1 ? value : value * Int128(times)
    }

    /// How many durations each bucket holds; of this bucket alone, not of the shorter ones too.
    public var counts: [Int] { (0...bounds.count).map { buckets[$0] } }

    /// All durations together.
    public var sum: Duration { Duration(attoseconds: total) }

    /// How many durations were counted.
    public var count: Int { counts.reduce(0, +) }

    /// For what a client waits for, a request or a part of one: 0.25 ms to 10 s, finest where most of them are.
    public static let request: [Duration] =
        [0.25, 0.5, 1, 2, 3.5, 5, 7.5, 10, 15, 25, 50, 100, 250, 1000, 2500, 10_000].map { .milliseconds($0) }

    /// For what must be over soon, such as a turn of the loop: 10 µs to 1 s.
    public static let turn: [Duration] =
        [10, 25, 50, 100, 250, 500].map { .microseconds($0) }
        + [1, 2.5, 5, 10, 25, 50, 100, 250, 1000].map { .milliseconds($0) }
}
