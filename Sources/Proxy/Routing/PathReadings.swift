/// The ways in which those behind a proxy may read a path: as it stands, or with its escapes, dots and parameters
/// carried out.
///
/// The bytes that go up are the client's. But when two readings lead to different places, somebody behind the proxy
/// could be made to answer what the proxy would not have given it, so such a path is refused.
enum PathReadings {
    /// The readings besides `path` itself; nil for a path that nobody should read, none for a plain one.
    static func others(of path: String) -> [String]? {
        guard isSuspicious(path.utf8.span) else { return [] }
        let decoded = decoding(Array(path.utf8))
        // NUL ends a path for whatever is written in C.
        guard !decoded.contains(0) else { return nil }
        let plain = decoding(Array(path.utf8), onlyUnreserved: true)
        let bare = decoding(withoutParameters(Array(path.utf8)))
        return [plain, decoded, bare].map { String(decoding: walked($0), as: UTF8.self) }
    }

    /// Whether everybody reads `path` as it stands.
    static func areOne(of path: String) -> Bool {
        others(of: path)?.allSatisfy { $0.utf8.elementsEqual(path.utf8) } == true
    }

    /// Whether there could be another reading: an escape, parameters, two slashes in a row, or a segment that begins
    /// with a dot.
    private static func isSuspicious(_ path: Span<UInt8>) -> Bool {
        var previous: UInt8 = 0
        for index in path.indices {
            let byte = path[index]
            if byte == UInt8(ascii: "%") || byte == UInt8(ascii: ";") { return true }
            if previous == UInt8(ascii: "/"), byte == UInt8(ascii: "/") || byte == UInt8(ascii: ".") { return true }
            previous = byte
        }
        return false
    }

    private static func decoding(_ path: [UInt8], onlyUnreserved: Bool = false) -> [UInt8] {
        var decoded: [UInt8] = []
        var position = 0
        while position < path.count {
            guard path[position] == UInt8(ascii: "%"), position + 2 < path.count,
                let value = UInt8(String(decoding: path[position + 1...position + 2], as: UTF8.self), radix: 16)
            else {
                decoded.append(path[position])
                position += 1
                continue
            }
            if !onlyUnreserved || isUnreserved(value) {
                decoded.append(value == UInt8(ascii: "\\") ? UInt8(ascii: "/") : value)
            } else {
                decoded += path[position...position + 2]
            }
            position += 3
        }
        return decoded
    }

    /// Without what servlets take for parameters of a segment (RFC 3986 §3.3), so that for them `/..;x/` is `/../`.
    private static func withoutParameters(_ path: [UInt8]) -> [UInt8] {
        let segments = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return Array(segments.map { $0.prefix { $0 != UInt8(ascii: ";") } }.joined(separator: [UInt8(ascii: "/")]))
    }

    /// RFC 3986 §2.3: what means the same with and without an escape.
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// Without empty and dot segments; a slash at the end stays.
    private static func walked(_ path: [UInt8]) -> [UInt8] {
        var segments: [ArraySlice<UInt8>] = []
        let parts = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for part in parts {
            switch part {
            case [], [UInt8(ascii: ".")]: continue
            case [UInt8(ascii: "."), UInt8(ascii: ".")]: _ = segments.popLast()
            default: segments.append(part)
            }
        }
        var walked = segments.flatMap { [UInt8(ascii: "/")] + $0 }
        let endsInFolder = parts.last.map { $0.allSatisfy { $0 == UInt8(ascii: ".") } && $0.count < 3 } ?? true
        if walked.isEmpty || endsInFolder { walked.append(UInt8(ascii: "/")) }
        return walked
    }
}
