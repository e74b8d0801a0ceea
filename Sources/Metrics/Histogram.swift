/// Durations, counted by how long they were.
///
/// Belongs to whoever measures and is only read when somebody asks for the metrics. An observation costs a few
/// comparisons and two additions: no lock, because all of a process happens on one thread, no allocation, and no
/// division, because ``Duration`` is compared and added as it is.
public final class Histogram {
    /// The upper bounds of the buckets, each inclusive, in ascending order; one more bucket is for what is longer.
    public let bounds: [Duration]
    /// How many durations each bucket holds; of this bucket alone, not of the shorter ones too.
    public private(set) var counts: [Int]
    /// All durations together.
    public private(set) var sum = Duration.zero

    /// - Parameter bounds: Ascending; ``request`` or ``turn``, unless there is a reason.
    public init(_ bounds: [Duration] = Histogram.request) {
        precondition(!bounds.isEmpty && zip(bounds, bounds.dropFirst()).allSatisfy(<), "bounds ascend")
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// Counts a duration.
    ///
    /// - Parameter times: How often, for things that took equally long because they were done together.
    public func observe(_ duration: Duration, times: Int = 1) {
        var index = 0
        // From the short end, where most of them are: a search by halves would need more steps for these.
        while index < bounds.count, bounds[index] < duration { index += 1 }
        counts[index] += times
        sum += times == 1 ? duration : duration * times
    }

    /// How many durations were counted.
    public var count: Int { counts.reduce(0, +) }

    /// For what a client waits for, a request or a part of one: 0.25 ms to 10 s.
    public static let request: [Duration] =
        [250, 500].map { .microseconds($0) } + [1, 2, 3, 5, 10, 25, 50, 100, 250, 500].map { .milliseconds($0) }
        + [1, 2.5, 5, 10].map { .seconds($0) }

    /// For what must be over soon, such as a turn of the loop: 10 µs to 1 s.
    public static let turn: [Duration] =
        [10, 25, 50, 100, 250, 500].map { .microseconds($0) }
        + [1, 2.5, 5, 10, 25, 50, 100, 250, 1000].map { .milliseconds($0) }
}
