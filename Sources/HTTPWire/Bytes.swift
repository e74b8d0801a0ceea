internal import Glibc

// The two places where bytes are searched and copied in bulk. They bridge to the C library because a loop that checks
// its bounds at every byte is several times slower; everything else in this module is memory-safe Swift.

extension Span where Element == UInt8 {
    /// The position of the first `byte` at or after `start`, or nil.
    @inline(__always)
    func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        precondition(start >= 0, "negative offset")
        guard start < count else { return nil }
        return unsafe withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return nil }
            guard let found = unsafe memchr(base + start, CInt(byte), buffer.count - start) else { return nil }
            return unsafe UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
    }

    /// The text of `range`; bytes that are not UTF-8 become U+FFFD.
    func text(_ range: Range<Int>) -> String {
        unsafe extracting(range).withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}

extension [UInt8] {
    /// Appends a copy of `bytes`.
    @inline(__always)
    public mutating func append(copying bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    /// Appends the UTF-8 form of `text`.
    @inline(__always)
    public mutating func append(utf8 text: String) {
        append(copying: text.utf8.span)
    }

    /// Appends `number` in decimal digits.
    mutating func append(decimal number: Int) {
        precondition(number >= 0, "lengths are not negative")
        if number < 10 { return append(ASCII.zero + UInt8(truncatingIfNeeded: number)) }
        var divisor = 10
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(ASCII.zero + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }
}
