extension Span<UInt8> {
    /// Whether these bytes begin with the others, compared as they are.
    @inlinable @inline(__always)
    public func begins(with other: Span<UInt8>) -> Bool {
        guard count >= other.count else { return false }
        for index in 0..<other.count where self[index] != other[index] { return false }
        return true
    }
}
