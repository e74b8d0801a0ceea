/// The ways in which those behind a proxy may read a path: as it stands, or with its escapes, dots and parameters
/// carried out.
///
/// The bytes that go up are the client's. But when two readings lead to different places, somebody behind the proxy
/// could be made to answer what the proxy would not have given it, so such a path is refused.
enum PathReadings {
    /// The readings besides `path` itself; nil for a path that nobody should read, none for a plain one.
    static func others(of path: String) -> [String]? {
        guard isSuspicious(path.utf8.span) else { return [] }
        let unwalked = unwalked(path)
        // NUL ends a path for whatever is written in C.
        guard !unwalked.contains(where: { $0.contains(0) }) else { return nil }
        return unwalked.map { String(decoding: walked($0), as: UTF8.self) }
    }

    /// Whether dots of some reading lead out of the folder in which a prefix of `path` ends, though others may lead
    /// back: what stands in the place of the prefix, or before it, on the way up is left as well, and not come back to.
    static func climb(_ path: String, outOf prefix: [UInt8]) -> Bool {
        unwalked(path).contains { reading in
            var parts = reading.dropFirst(prefix.count).split(separator: slash, omittingEmptySubsequences: false)
            // The end of a segment that the prefix has begun.
            if prefix.last != slash { parts = Array(parts.dropFirst()) }
            var depth = 0
            for part in parts where !part.isEmpty && !part.elementsEqual([dot]) {
                depth += part.elementsEqual([dot, dot]) ? -1 : 1
                if depth < 0 { return true }
            }
            return false
        }
    }

    private static let slash = UInt8(ascii: "/")
    private static let dot = UInt8(ascii: ".")

    /// The readings, their dots not carried out.
    private static func unwalked(_ path: String) -> [[UInt8]] {
        let path = Array(path.utf8)
        return [decoding(path, onlyUnreserved: true), decoding(path), decoding(withoutParameters(path))]
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
