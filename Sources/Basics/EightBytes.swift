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
        let lower = (word | UInt64(0x20) &* Self.lowBits) & sevenBits
        let fromA = lower &+ UInt64(0x80 - 0x61) &* Self.lowBits
        let beyondZ = lower &+ UInt64(0x80 - 0x7B) &* Self.lowBits
        let unlikeHyphen = ((word ^ UInt64(0x2D) &* Self.lowBits) & sevenBits) &+ sevenBits
        return (~(fromA & ~beyondZ) & unlikeHyphen | word) & Self.highBits
    }

    /// The same with bits set in each.
    @inlinable @inline(__always)
    public func with(_ bits: UInt8) -> EightBytes { EightBytes(word | UInt64(bits) &* Self.lowBits) }
}

extension Span<UInt8> {
    /// The eight bytes at `position`, the first one lowest; the compiler makes one load of it.
    @inlinable @inline(__always)
    public func eight(at position: Int) -> EightBytes {
        let bytes = extracting(position..<position + 8)
        let low = UInt64(bytes[0]) | UInt64(bytes[1]) << 8 | UInt64(bytes[2]) << 16 | UInt64(bytes[3]) << 24
        let high = UInt64(bytes[4]) | UInt64(bytes[5]) << 8 | UInt64(bytes[6]) << 16 | UInt64(bytes[7]) << 24
        return EightBytes(low | high << 32)
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
