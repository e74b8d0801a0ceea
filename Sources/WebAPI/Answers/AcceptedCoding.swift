internal import HTTPWire

/// What a client says of the codings that it takes (RFC 9110 §12.5.3).
enum AcceptedCoding {
    /// Whether gzip is the best that can be done: it is taken, and the client would not rather have the plain bytes.
    static func prefersGzip(_ fields: HTTPFields) -> Bool {
        var gzip: Int?
        var identity: Int?
        var others: Int?
        for list in fields.values("accept-encoding") {
            for member in list.utf8.split(separator: UInt8(ascii: ",")) {
                let parts = member.split(separator: UInt8(ascii: ";")).map { String($0.trimmedSpaces)?.lowercased() }
                guard let name = parts.first ?? nil, let weight = weight(of: parts.dropFirst()) else { continue }
                switch name {
                case "gzip", "x-gzip": gzip = weight
                case "identity": identity = weight
                case "*": others = weight
                default: break
                }
            }
        }
        let accepted = gzip ?? others ?? 0
        return accepted > 0 && accepted >= (identity ?? 0)
    }

    /// Thousandths; 1000 without a weight, nil for what is none.
    private static func weight(of parameters: ArraySlice<String?>) -> Int? {
        guard let text = parameters.first else { return 1000 }
        guard parameters.count == 1, let text, text.hasPrefix("q=") else { return nil }
        let number = text.dropFirst(2).split(separator: ".", omittingEmptySubsequences: false)
        guard let whole = number.first, whole == "0" || whole == "1", number.count <= 2 else { return nil }
        let decimals = number.count == 2 ? number[1] : ""
        guard decimals.utf8.count <= 3, decimals.allSatisfy({ ("0"..."9").contains($0) }) else { return nil }
        let thousandths = Int(whole + decimals + String(repeating: "0", count: 3 - decimals.utf8.count)) ?? 0
        return thousandths <= 1000 ? thousandths : nil
    }
}

extension Substring.UTF8View {
    fileprivate var trimmedSpaces: Substring.UTF8View {
        var text = drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        while let last = text.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") { text.removeLast() }
        return text
    }
}
