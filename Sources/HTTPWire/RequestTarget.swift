internal import Basics

/// Where the parts of a request target lie in the bytes of its head (RFC 9112 §3.2).
struct RequestTarget: Hashable, Sendable {
    let whole: ByteRange
    /// Empty for `http://host`, which means `/`.
    let path: ByteRange
    /// Behind the `?`; nil without one.
    let query: ByteRange?
    /// Of the absolute form.
    let authority: ByteRange?

    /// Reads the target in `range`, which must be in the form that goes with `method`.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>, method: HTTPMethod) throws(HTTPParseError) {
        guard method != .connect else { throw .connectRefused }
        guard let first = range.first else { throw .malformedTarget }
        whole = ByteRange(range)
        switch bytes[first] {
        case ASCII.slash:
            (path, query) = try Self.split(bytes, range)
            authority = nil
        case ASCII.asterisk:
            guard range.count == 1, method == .options else { throw .malformedTarget }
            (path, query, authority) = (whole, nil, nil)
        default:
            let authority = try Self.authority(ofAbsoluteForm: range, bytes)
            (path, query) = try Self.split(bytes, authority.upperBound..<range.upperBound)
            self.authority = ByteRange(authority)
        }
    }

    /// `path [ "?" query ]`.
    ///
    /// A path with a broken escape is refused; a query's are left to who reads its parameters.
    private static func split(
        _ bytes: Span<UInt8>,
        _ range: Range<Int>
    ) throws(HTTPParseError) -> (path: ByteRange, query: ByteRange?) {
        let part = bytes.extracting(range)
        guard part.isTarget else { throw .malformedTarget }
        let mark = part.firstIndex(of: ASCII.questionMark, from: 0)
        try checkPath(part.extracting(0..<(mark ?? part.count)))
        guard let mark else { return (ByteRange(range), nil) }
        let pathEnd = range.lowerBound + mark
        return (ByteRange(range.lowerBound..<pathEnd), ByteRange(pathEnd + 1..<range.upperBound))
    }

    private static func checkPath(_ path: Span<UInt8>) throws(HTTPParseError) {
        // A URL parser turns "\" into "/", so a path with one means different things to different readers.
        guard path.firstIndex(of: ASCII.backslash, from: 0) == nil else { throw .malformedTarget }
        var position = 0
        while let escape = path.firstIndex(of: ASCII.percent, from: position) {
            guard escape + 2 < path.count, Hexadecimal.value(path[escape + 1]) != nil,
                Hexadecimal.value(path[escape + 2]) != nil
            else { throw .malformedTarget }
            position = escape + 3
        }
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

/// `uri-host [ ":" port ]` (RFC 9110 §7.2), as hosts are in practice: the grammar would also allow escapes and marks
/// such as `,`, which no name has and which a merged pair of `Host` fields does.
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
            while end < range.upperBound, ASCII.isUnreserved(bytes[end]) { end += 1 }
            guard end > first else { return false }
        }
        guard end < range.upperBound else { return true }
        return bytes[end] == ASCII.colon && isPort(end + 1..<range.upperBound, bytes)
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        Hexadecimal.value(byte) != nil || byte == ASCII.colon || byte == ASCII.dot
    }

    /// `*DIGIT`, at most 65535.
    private static func isPort(_ range: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        guard range.count <= 5 else { return false }
        let digits = bytes.extracting(range)
        var port: UInt32 = 0
        for index in 0..<digits.count {
            let digit = digits[index] &- ASCII.zero
            guard digit < 10 else { return false }
            port = port &* 10 &+ UInt32(digit)
        }
        return port <= 65535
    }
}
