/// Eight bytes as one number, and questions about all of them (Hacker's Delight §6–1). An answer has the highest bit of
/// a byte set for which it is yes; of the bytes above the lowest such one, nothing is known.
///
/// Inlinable, because it is about single instructions, and the optimiser alone leaves calls of them between modules.
public struct EightBytes {
    @inlinable static var lowBits: UInt64 { 0x0101_0101_0101_0101 }
    @inlinable static var highBits: UInt64 { 0x8080_8080_8080_8080 }

    /// All of them, the first one lowest.
    public let word: UInt64

    /// - Parameter word: The first byte lowest.
    @inlinable @inline(__always)
    public init(_ word: UInt64) { self.word = word }

    /// Which are `byte`.
    @inlinable @inline(__always)
    public func equal(to byte: UInt8) -> UInt64 { EightBytes(word ^ (UInt64(byte) &* Self.lowBits)).less(than: 1) }

    /// Which are less than `bound`, at most 128.
    @inlinable @inline(__always)
    public func less(than bound: UInt8) -> UInt64 { (word &- UInt64(bound) &* Self.lowBits) & ~word & Self.highBits }

    /// Which are 127 or more.
    @inlinable @inline(__always)
    public var beyondVisible: UInt64 { (word | (word &+ Self.lowBits)) & Self.highBits }

    /// Which are not `A`–`Z`, `a`–`z` or `-`: known of each of them, not only of the lowest.
    @inlinable @inline(__always)
    public var neitherLettersNorHyphens: UInt64 {
        // With seven bits in each no sum reaches the next one.
        let sevenBits = ~Self.highBits
        let unlikeHyphen = ((word ^ UInt64(0x2D) &* Self.lowBits) & sevenBits) &+ sevenBits
        return ~letters & (unlikeHyphen | word) & Self.highBits
    }

    /// Which are `A`–`Z` or `a`–`z`: known of each of them, not only of the lowest.
    @inlinable @inline(__always)
    public var letters: UInt64 {
        let sevenBits = ~Self.highBits
        let lower = (word | UInt64(0x20) &* Self.lowBits) & sevenBits
        let fromA = lower &+ UInt64(0x80 - 0x61) &* Self.lowBits
        let beyondZ = lower &+ UInt64(0x80 - 0x7B) &* Self.lowBits
        return fromA & ~beyondZ & ~word & Self.highBits
    }

    /// Whether they are the others, the letters `A`–`Z` and `a`–`z` being the same.
    @inlinable @inline(__always)
    public func equalsIgnoringCase(_ other: EightBytes) -> Bool {
        // What differs may only be the bit of a letter that says whether it is small.
        (word ^ other.word) & ~(letters >> 2) == 0
    }

    /// The same with bits set in each.
    @inlinable @inline(__always)
    public func with(_ bits: UInt8) -> EightBytes { EightBytes(word | UInt64(bits) &* Self.lowBits) }
}

extension Span<UInt8> {
    /// The eight bytes at `position`, the first one lowest; traps where there are fewer.
    @inlinable @inline(__always)
    public func eight(at position: Int) -> EightBytes {
        // In one load: put together from bytes, each would be asked for whether it is there. This one asks once.
        let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self)
        return EightBytes(UInt64(littleEndian: word))
    }
}

extension OutputSpan<UInt8> {
    /// Appends the eight bytes of a number in one store; traps where they have no room.
    @inlinable @inline(__always)
    public mutating func append(highestFirst word: UInt64) {
        precondition(freeCapacity >= 8, "no room")
        unsafe withUnsafeMutableBufferPointer { buffer, count in
            let room = UnsafeMutableRawBufferPointer(buffer)
            unsafe room.storeBytes(of: word.bigEndian, toByteOffset: count, as: UInt64.self)
            count += 8
        }
    }
}
