extension Duration {
    private static let attosecondsPerMillisecond: Int64 = 1_000_000_000_000_000

    /// Whole milliseconds; a fraction is dropped.
    public var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds * 1000 + attoseconds / Self.attosecondsPerMillisecond)
    }

    /// Whole milliseconds, a fraction counted as one more, for where 0 would mean "for ever".
    public var millisecondsRoundedUp: Int {
        let (seconds, attoseconds) = components
        return Int(seconds * 1000 + (attoseconds + Self.attosecondsPerMillisecond - 1) / Self.attosecondsPerMillisecond)
    }
}
