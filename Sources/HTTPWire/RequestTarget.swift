/// Where the parts of a request target lie in the bytes of its head (RFC 9112 §3.2).
struct RequestTarget: Hashable, Sendable {
    let whole: Range<Int>
    /// Empty for `http://host`, which means `/`.
    let path: Range<Int>
    /// Behind the `?`; nil without one.
    let query: Range<Int>?
    /// Of the absolute form.
    let authority: Range<Int>?

    /// Reads the target in `range`, which must be in the form that goes with `method`.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>, method: HTTPMethod) throws(HTTPParseError) {
        guard method != .connect else { throw .connectRefused }
        guard let first = range.first else { throw .malformedTarget }
        whole = range
        switch bytes[first] {
        case ASCII.slash:
            (path, query) = try Self.split(bytes, range)
            authority = nil
        case ASCII.asterisk:
            guard range.count == 1, method == .options else { throw .malformedTarget }
            (path, query, authority) = (range, nil, nil)
        default:
            let authority = try Self.authority(ofAbsoluteForm: range, bytes)
            (path, query) = try Self.split(bytes, authority.upperBound..<range.upperBound)
            self.authority = authority
        }
    }

    /// `path [ "?" query ]`.
    ///
    /// A path with a broken escape is refused; a query's are left to who reads its parameters.
    private static func split(
        _ bytes: Span<UInt8>,
        _ range: Range<Int>
    ) throws(HTTPParseError) -> (path: Range<Int>, query: Range<Int>?) {
        var index = range.lowerBound
        while index < range.upperBound, bytes[index] != ASCII.questionMark {
            let byte = bytes[index]
            // A URL parser turns "\" into "/", so a path with one means different things to different readers.
            guard ASCII.isTarget(byte), byte != ASCII.backslash else { throw .malformedTarget }
            if byte == ASCII.percent {
                guard index + 2 < range.upperBound, ASCII.hexValue(bytes[index + 1]) != nil,
                    ASCII.hexValue(bytes[index + 2]) != nil
                else { throw .malformedTarget }
            }
            index += 1
        }
        let path = range.lowerBound..<index
        guard index < range.upperBound else { return (path, nil) }
        for position in index + 1..<range.upperBound where !ASCII.isTarget(bytes[position]) { throw .malformedTarget }
        return (path, index + 1..<range.upperBound)
    }

    /// The authority in `http://authority/path?query`.
    ///
    /// User names in it are refused (RFC 9110 §4.2.4).
    private static func authority(
        ofAbsoluteForm range: Range<Int>,
        _ bytes: Span<UInt8>
    ) throws(HTTPParseError) -> Range<Int> {
        for scheme in ["http://", "https://"] where range.count > scheme.utf8.count {
            let start = range.lowerBound + scheme.utf8.count
            guard bytes.equalsIgnoringCase(range.lowerBound..<start, scheme) else { continue }
            var end = start
            while end < range.upperBound, bytes[end] != ASCII.slash, bytes[end] != ASCII.questionMark { end += 1 }
            guard Authority.isValid(start..<end, bytes) else { throw .malformedTarget }
            return start..<end
        }
        throw .malformedTarget
    }
}

/// `uri-host [ ":" port ]` (RFC 9110 §7.2).
enum Authority {
    /// Whether `range` is a host name, an IPv4 address or an IPv6 address in brackets, and perhaps a port.
    static func isValid(_ range: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        guard let first = range.first else { return false }
        var end = first
        if bytes[first] == ASCII.openBracket {
            end += 1
            while end < range.upperBound, isAddressByte(bytes[end]) { end += 1 }
            // "[::]" is the shortest address.
            guard end - first >= 3, end < range.upperBound, bytes[end] == ASCII.closeBracket else { return false }
            end += 1
        } else {
            while end < range.upperBound, isNameByte(bytes[end]) { end += 1 }
            guard end > first else { return false }
        }
        guard end < range.upperBound else { return true }
        return bytes[end] == ASCII.colon && isPort(end + 1..<range.upperBound, bytes)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        ASCII.isAuthority(byte) && byte != ASCII.colon && byte != ASCII.openBracket && byte != ASCII.closeBracket
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        ASCII.hexValue(byte) != nil || byte == ASCII.colon || byte == ASCII.dot
    }

    /// `*DIGIT`, at most 65535.
    private static func isPort(_ range: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        guard range.count <= 5 else { return false }
        var port = 0
        for index in range {
            guard ASCII.isDigit(bytes[index]) else { return false }
            port = port * 10 + Int(bytes[index] - ASCII.zero)
        }
        return port <= 65535
    }
}
