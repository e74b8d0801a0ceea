internal import Basics

/// The field names that decide framing or are written by the serializers, told apart once, while a field is parsed or
/// added, so that nobody compares their text again.
enum KnownName: UInt8, Sendable {
    case other
    case te, host, date, expect, trailer, upgrade, connection, keepAlive, contentLength, proxyConnection
    case transferEncoding

    /// The name in `range` of `bytes`.
    ///
    /// Length and first letter decide which single comparison is worth making. Nothing but a token is asked for.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let name = bytes.extracting(range)
        switch (name.count, name[0] | 0x20) {
        case (2, UInt8(ascii: "t")): self = name.isInSmallLetters("te") ? .te : .other
        case (4, UInt8(ascii: "h")): self = name.isInSmallLetters("host") ? .host : .other
        case (4, UInt8(ascii: "d")): self = name.isInSmallLetters("date") ? .date : .other
        case (6, UInt8(ascii: "e")): self = name.isInSmallLetters("expect") ? .expect : .other
        case (7, UInt8(ascii: "t")): self = name.isInSmallLetters("trailer") ? .trailer : .other
        case (7, UInt8(ascii: "u")): self = name.isInSmallLetters("upgrade") ? .upgrade : .other
        case (10, UInt8(ascii: "c")): self = name.isInSmallLetters("connection") ? .connection : .other
        case (10, UInt8(ascii: "k")): self = name.isInSmallLetters("keep-alive") ? .keepAlive : .other
        case (14, UInt8(ascii: "c")): self = name.isInSmallLetters("content-length") ? .contentLength : .other
        case (16, UInt8(ascii: "p")):
            self = name.isInSmallLetters("proxy-connection") ? .proxyConnection : .other
        case (17, UInt8(ascii: "t")):
            self = name.isInSmallLetters("transfer-encoding") ? .transferEncoding : .other
        default: self = .other
        }
    }

    /// Whether ``HeadWriter`` writes the field itself, from what it knows of the body and the connection.
    var isWrittenForConnection: Bool {
        switch self {
        case .contentLength, .transferEncoding, .connection, .keepAlive, .proxyConnection: true
        case .other, .te, .host, .date, .expect, .trailer, .upgrade: false
        }
    }
}

extension Span where Element == UInt8 {
    /// Whether a token is `text`, which has small letters and hyphens. What makes a letter small turns no other byte of
    /// a token into one of those.
    @inline(__always)
    fileprivate func isInSmallLetters(_ text: String) -> Bool {
        let other = text.utf8.span
        guard count == other.count else { return false }
        var position = 0
        guard count >= 8 else {
            while position < count {
                guard self[position] | 0x20 == other[position] else { return false }
                position += 1
            }
            return true
        }
        while position < count {
            position = Swift.min(position, count - 8)
            guard eight(at: position).with(0x20).word == other.eight(at: position).word else { return false }
            position += 8
        }
        return true
    }

    /// Whether `range` holds `text`, the letters `A`–`Z` and `a`–`z` being the same.
    func equalsIgnoringCase(_ range: Range<Int>, _ text: String) -> Bool {
        equalsIgnoringCase(range, text.utf8.span)
    }

    /// Whether `range` holds `other`, the letters `A`–`Z` and `a`–`z` being the same.
    func equalsIgnoringCase(_ range: Range<Int>, _ other: Span<UInt8>) -> Bool {
        let count = other.count
        guard count == range.count else { return false }
        var position = 0
        guard count >= 8 else {
            while position < count {
                let byte = self[range.lowerBound + position]
                guard ASCII.lowercased(byte) == ASCII.lowercased(other[position]) else { return false }
                position += 1
            }
            return true
        }
        while position < count {
            position = Swift.min(position, count - 8)
            guard eight(at: range.lowerBound + position).equalsIgnoringCase(other.eight(at: position)) else {
                return false
            }
            position += 8
        }
        return true
    }

    /// `range` without the spaces and tabs at its ends (OWS, RFC 9110 §5.6.3).
    @inline(__always)
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, self[start] == ASCII.space || self[start] == ASCII.tab { start += 1 }
        while start < end, self[end - 1] == ASCII.space || self[end - 1] == ASCII.tab { end -= 1 }
        return start..<end
    }
}

/// Calls `body` with each nonempty member of the comma-separated list in `range` (RFC 9110 §5.6.1).
func forEachListMember(of range: Range<Int>, in bytes: Span<UInt8>, _ body: (Range<Int>, Span<UInt8>) -> Void) {
    var start = range.lowerBound
    while start < range.upperBound {
        var end = start
        while end < range.upperBound, bytes[end] != ASCII.comma { end += 1 }
        let member = bytes.trimmed(start..<end)
        if !member.isEmpty { body(member, bytes) }
        start = end + 1
    }
}
