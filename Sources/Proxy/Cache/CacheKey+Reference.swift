extension CacheKey {
    private static let slash = UInt8(ascii: "/")
    private static let mark = UInt8(ascii: "?")

    /// What a reference in an answer stands for (RFC 3986 §5.2), without its fragment; nil for what no gateway is asked
    /// for. By bytes: a mark that combines with a slash would hide that from a comparison of characters.
    func resolving(_ reference: String) -> CacheTarget? {
        let reference = Array(reference.utf8.prefix { $0 != UInt8(ascii: "#") })
        if let end = reference.firstIndex(where: { $0 == UInt8(ascii: ":") || $0 == Self.slash || $0 == Self.mark }),
            reference[end] == UInt8(ascii: ":")
        {
            return CacheTarget(ofURL: String(decoding: reference, as: UTF8.self)).map { at($0.path.utf8, $0.host) }
        }
        if reference.starts(with: [Self.slash, Self.slash]) {
            let url = (isSecure ? "https:" : "http:") + String(decoding: reference, as: UTF8.self)
            return CacheTarget(ofURL: url).map { at($0.path.utf8, $0.host) }
        }
        let path = target.path.utf8.prefix { $0 != Self.mark }
        switch reference.first {
        case nil: return target
        case Self.slash: return at(reference, target.host)
        case Self.mark: return at(path + reference, target.host)
        default:
            let folder = path.lastIndex(of: Self.slash).map { path[...$0] } ?? path
            return at(folder + reference, target.host)
        }
    }

    /// Without dot segments in the path; empty ones stay (RFC 3986 §5.2.4).
    private func at(_ reference: some Collection<UInt8>, _ host: String) -> CacheTarget {
        let path = reference.prefix { $0 != Self.mark }
        var segments: [ArraySlice<UInt8>] = []
        let parts = Array(path.dropFirst()).split(separator: Self.slash, omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            let isDot = part.elementsEqual(".".utf8)
            let isUp = part.elementsEqual("..".utf8)
            if isUp { _ = segments.popLast() }
            if !isDot, !isUp { segments.append(part) } else if index == parts.count - 1 { segments.append([]) }
        }
        let walked = [Self.slash] + segments.joined(separator: [Self.slash]) + reference.dropFirst(path.count)
        return CacheTarget(host: host, path: String(decoding: walked, as: UTF8.self))
    }
}
