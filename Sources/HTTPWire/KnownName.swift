/// The field names that decide framing or are written by the serializers, told apart once, while a field is parsed or
/// added, so that nobody compares their text again.
enum KnownName: UInt8, Sendable {
    case other
    case te, host, date, expect, trailer, upgrade, connection, keepAlive, contentLength, proxyConnection
    case transferEncoding

    /// The name in `range` of `bytes`.
    ///
    /// Length and first letter decide which single comparison is worth making.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let candidate: (KnownName, String)
        switch (range.count, bytes[range.lowerBound] | 0x20) {
        case (2, UInt8(ascii: "t")): candidate = (.te, "te")
        case (4, UInt8(ascii: "h")): candidate = (.host, "host")
        case (4, UInt8(ascii: "d")): candidate = (.date, "date")
        case (6, UInt8(ascii: "e")): candidate = (.expect, "expect")
        case (7, UInt8(ascii: "t")): candidate = (.trailer, "trailer")
        case (7, UInt8(ascii: "u")): candidate = (.upgrade, "upgrade")
        case (10, UInt8(ascii: "c")): candidate = (.connection, "connection")
        case (10, UInt8(ascii: "k")): candidate = (.keepAlive, "keep-alive")
        case (14, UInt8(ascii: "c")): candidate = (.contentLength, "content-length")
        case (16, UInt8(ascii: "p")): candidate = (.proxyConnection, "proxy-connection")
        case (17, UInt8(ascii: "t")): candidate = (.transferEncoding, "transfer-encoding")
        default:
            self = .other
            return
        }
        self = bytes.equalsIgnoringCase(range, candidate.1) ? candidate.0 : .other
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
    /// Whether `range` holds `text`, the letters `A`–`Z` and `a`–`z` being the same.
    func equalsIgnoringCase(_ range: Range<Int>, _ text: String) -> Bool {
        equalsIgnoringCase(range, text.utf8.span)
    }

    /// Whether `range` holds `other`, the letters `A`–`Z` and `a`–`z` being the same.
    func equalsIgnoringCase(_ range: Range<Int>, _ other: Span<UInt8>) -> Bool {
        guard other.count == range.count else { return false }
        let bytes = extracting(range)
        var differences: UInt8 = 0
        for index in 0..<other.count {
            differences |= ASCII.lowercased(bytes[index]) ^ ASCII.lowercased(other[index])
        }
        return differences == 0
    }

    /// `range` without the spaces and tabs at its ends (OWS, RFC 9110 §5.6.3).
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
