// Searching, checking and copying bytes in bulk. The loops have no early exit inside of a block, so that the compiler
// proves them in bounds once and turns them into vector instructions: as fast as the C library, and memory-safe.

extension Span where Element == UInt8 {
    /// The position of the first `byte` at or after `start`, or nil.
    ///
    /// Eight bytes at a time: in `(x - 0x01…) & ~x & 0x80…` the lowest bit that is set belongs to the first zero byte
    /// of `x` (Hacker's Delight §6–1).
    func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        let pattern = UInt64(byte) &* 0x0101_0101_0101_0101
        var position = start
        while count - position >= 8 {
            let difference = word(at: position) ^ pattern
            let hits = (difference &- 0x0101_0101_0101_0101) & ~difference & 0x8080_8080_8080_8080
            if hits != 0 { return position + hits.trailingZeroBitCount / 8 }
            position += 8
        }
        while position < count {
            if self[position] == byte { return position }
            position += 1
        }
        return nil
    }

    /// The eight bytes at `position`, the first one lowest; the compiler makes one load of it.
    @inline(__always)
    private func word(at position: Int) -> UInt64 {
        let bytes = extracting(position..<position + 8)
        let low = UInt64(bytes[0]) | UInt64(bytes[1]) << 8 | UInt64(bytes[2]) << 16 | UInt64(bytes[3]) << 24
        let high = UInt64(bytes[4]) | UInt64(bytes[5]) << 8 | UInt64(bytes[6]) << 16 | UInt64(bytes[7]) << 24
        return low | high << 32
    }

    /// Whether every byte may stand in a field value: `field-vchar / SP / HTAB / obs-text` (RFC 9110 §5.5).
    ///
    /// The other controls are refused as well as CR, LF and NUL: §5.5 calls them invalid, and no honest client sends
    /// them.
    var isFieldValue: Bool {
        var faults: UInt8 = 0
        for index in 0..<count {
            let byte = self[index]
            let isControl: UInt8 = (byte < ASCII.space ? 1 : 0) & (byte != ASCII.tab ? 1 : 0)
            faults |= isControl | (byte == ASCII.delete ? 1 : 0)
        }
        return faults == 0
    }

    /// Whether every byte may stand in a request target: visible ASCII, less the characters that no conforming URL
    /// serializer leaves unescaped (URL Standard, *query percent-encode set*): `"`, `#`, `<`, `>`.
    var isTarget: Bool {
        var faults: UInt8 = 0
        for index in 0..<count {
            let byte = self[index]
            let isVisible: UInt8 = byte &- 0x21 <= 0x7E - 0x21 ? 1 : 0
            let isBracket: UInt8 = (byte == 0x3C ? 1 : 0) | (byte == 0x3E ? 1 : 0)
            faults |= 1 ^ isVisible | isBracket | (byte == 0x22 ? 1 : 0) | (byte == 0x23 ? 1 : 0)
        }
        return faults == 0
    }

    /// The text of the bytes; those that are not UTF-8 become U+FFFD.
    var text: String {
        if let text = try? UTF8Span(validating: self) { return String(copying: text) }
        var bytes: [UInt8] = []
        bytes.append(copying: self)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The text of `range`, as ``text``.
    func text(_ range: ByteRange) -> String { extracting(range.bounds).text }
}

extension [UInt8] {
    /// Appends a copy of `bytes`.
    @inline(__always)
    public mutating func append(copying bytes: Span<UInt8>) {
        append(addingCapacity: bytes.count) { output in
            for index in 0..<bytes.count { output.append(bytes[index]) }
        }
    }

    /// Appends the UTF-8 form of `text`.
    @inline(__always)
    public mutating func append(utf8 text: String) {
        append(contentsOf: text.utf8)
    }

    /// Appends `number`, which is not negative, in decimal digits.
    public mutating func append(decimal number: Int) {
        precondition(number >= 0, "lengths are not negative")
        var divisor = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(ASCII.zero + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }
}

/// A part of a head, in half the room of a `Range<Int>`: heads are shorter than 4 GiB.
struct ByteRange: Hashable, Sendable {
    private let start: UInt32
    private let end: UInt32

    init(_ bounds: Range<Int>) {
        start = UInt32(truncatingIfNeeded: bounds.lowerBound)
        end = UInt32(truncatingIfNeeded: bounds.upperBound)
    }

    var bounds: Range<Int> {
        @inline(__always) get { Int(start)..<Int(end) }
    }

    var isEmpty: Bool { start == end }
    var count: Int { Int(end) - Int(start) }
}
