internal import Basics

// Searching, checking and copying bytes in bulk; only a copy touches memory by address.
//
// Heads are too short for vector instructions: what is left over at their ends would cost most. With eight bytes at a
// time, the last word may overlap with the one before.

extension Span where Element == UInt8 {
    /// The position of the first `byte` at or after `start`, or nil.
    func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        var position = start
        guard count - start >= 8 else {
            while position < count {
                if self[position] == byte { return position }
                position += 1
            }
            return nil
        }
        while position < count {
            position = Swift.min(position, count - 8)
            let hits = eight(at: position).equal(to: byte)
            if hits != 0 { return position + hits.trailingZeroBitCount / 8 }
            position += 8
        }
        return nil
    }

    /// The position of the first control character at or after `start`, or nil: of what ends a line, may not stand in
    /// one, or is a tab.
    @inline(__always)
    func firstControl(from start: Int) -> Int? {
        var position = start
        while position + 8 <= count {
            let word = eight(at: position)
            let hits = word.less(than: ASCII.space) | word.equal(to: ASCII.delete)
            if hits != 0 { return position + hits.trailingZeroBitCount / 8 }
            position += 8
        }
        while position < count {
            if self[position] < ASCII.space || self[position] == ASCII.delete { return position }
            position += 1
        }
        return nil
    }

    /// How many bytes there are before the first one that may not stand in a token, RFC 9110 §5.6.2.
    @inline(__always)
    var tokenEnd: Int {
        var position = 0
        // Names are letters and hyphens, with few exceptions.
        while position + 8 <= count {
            let others = eight(at: position).neitherLettersNorHyphens
            if others != 0 {
                position += others.trailingZeroBitCount / 8
                guard ASCII.isToken(self[position]) else { return position }
                position += 1
            } else {
                position += 8
            }
        }
        while position < count, ASCII.isToken(self[position]) { position += 1 }
        return position
    }

    /// Whether no eight bytes are at fault and no single one is: the eight are asked first, and the single ones where
    /// there are fewer, or where the eight may have been misjudged.
    @inline(__always)
    private func isFree(of eightFaults: (EightBytes) -> UInt64, _ isFault: (UInt8) -> Bool) -> Bool {
        if count >= 8 {
            var faults: UInt64 = 0
            var position = 0
            while position < count {
                position = Swift.min(position, count - 8)
                faults |= eightFaults(eight(at: position))
                position += 8
            }
            if faults == 0 { return true }
        }
        for index in 0..<count where isFault(self[index]) { return false }
        return true
    }

    /// Whether every byte may stand in a field value: `field-vchar / SP / HTAB / obs-text` (RFC 9110 §5.5).
    ///
    /// The other controls are refused as well as CR, LF and NUL: §5.5 calls them invalid, and no honest client sends
    /// them.
    var isFieldValue: Bool {
        isFree {
            $0.less(than: ASCII.space) | $0.equal(to: ASCII.delete)
        } _: {
            !ASCII.isFieldValue($0)
        }
    }

    /// Whether every byte may stand in a request target: visible ASCII, less the characters that no conforming URL
    /// serializer leaves unescaped (URL Standard, *query percent-encode set*): `"`, `#`, `<`, `>`.
    var isTarget: Bool {
        isFree {
            // `"` and `#` differ in one bit, and so do `<` and `>`.
            $0.less(than: 0x21) | $0.beyondVisible | $0.with(0x01).equal(to: 0x23) | $0.with(0x02).equal(to: 0x3E)
        } _: {
            !ASCII.isTarget($0)
        }
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
        // By address, in one piece: heads are made of many short ones.
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    /// Appends the UTF-8 form of `text`.
    @inline(__always)
    public mutating func append(utf8 text: String) {
        append(copying: text.utf8.span)
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
