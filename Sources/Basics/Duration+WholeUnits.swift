extension Duration {
    private static let attosecondsPerMicrosecond: Int128 = 1_000_000_000_000
    private static let attosecondsPerMillisecond: Int128 = 1_000_000_000_000_000

    /// Whole microseconds; a fraction is dropped.
    public var wholeMicroseconds: Int { Int(attoseconds / Self.attosecondsPerMicrosecond) }

    /// Whole milliseconds; a fraction is dropped.
    public var wholeMilliseconds: Int { Int(attoseconds / Self.attosecondsPerMillisecond) }

    /// Whole milliseconds, a fraction counted as one more, for where 0 would mean "for ever".
    public var millisecondsRoundedUp: Int {
        Int((attoseconds + Self.attosecondsPerMillisecond - 1) / Self.attosecondsPerMillisecond)
    }
}
