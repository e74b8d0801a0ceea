internal import HTTPWire

/// What `Cache-Control` says in a request or an answer (RFC 9111 §5.2).
///
/// A directive that is not understood is passed over. One whose number cannot be read is the strict reading of it: an
/// age of 0, and no leave to be stale.
struct CacheDirectives: Equatable, Sendable {
    var noStore = false
    /// Also with names of fields: the whole answer is meant then.
    var noCache = false
    /// Also with names of fields.
    var isPrivate = false
    var isPublic = false
    var mustRevalidate = false
    var proxyRevalidate = false
    var mustUnderstand = false
    var onlyIfCached = false
    /// Whether `CDN-Cache-Control` said it; `Expires` does not count then.
    private(set) var isTargeted = false
    var maxAge: Int?
    var sharedMaxAge: Int?
    var staleWhileRevalidate: Int?
    var staleIfError: Int?
    var minFresh: Int?
    /// How stale a client would take an answer; `.max` for any age.
    var maxStale: Int?

    init() {}

    /// Reads all lines of `Cache-Control`, or `Pragma` where there is none (RFC 9111 §5.4). What an answer says to
    /// caches such as this one in `CDN-Cache-Control` takes the place of what it says to all (RFC 9213).
    init(_ fields: HTTPFields, isRequest: Bool) {
        if !isRequest, let targeted = Self.targeted(fields) {
            isTargeted = true
            for member in targeted { take(member.name, member.argument) }
            return
        }
        let lines = fields.values("cache-control")
        if lines.isEmpty, isRequest, fields.list("pragma", contains: "no-cache") { noCache = true }
        for line in lines {
            for member in Self.members(of: line) { take(member.name, member.argument) }
        }
    }

    private mutating func take(_ name: String, _ argument: String?) {
        switch name {
        case "no-store": noStore = true
        case "no-cache": noCache = true
        case "private": isPrivate = true
        case "public": isPublic = true
        case "must-revalidate": mustRevalidate = true
        case "proxy-revalidate": proxyRevalidate = true
        case "must-understand": mustUnderstand = true
        case "only-if-cached": onlyIfCached = true
        // Of several the smallest, so that nobody gets more than was promised.
        case "max-age": maxAge = Self.least(maxAge, argument)
        case "s-maxage": sharedMaxAge = Self.least(sharedMaxAge, argument)
        case "stale-while-revalidate": staleWhileRevalidate = Self.least(staleWhileRevalidate, argument)
        case "stale-if-error": staleIfError = Self.least(staleIfError, argument)
        case "min-fresh": minFresh = max(minFresh ?? 0, argument.flatMap(DeltaSeconds.parse) ?? .max)
        case "max-stale": maxStale = argument == nil ? .max : Self.least(maxStale, argument)
        default: break
        }
    }

    private static func least(_ other: Int?, _ argument: String?) -> Int {
        min(other ?? .max, argument.flatMap(DeltaSeconds.parse) ?? 0)
    }

    /// The members of `CDN-Cache-Control`, which is a structured field (RFC 8941): nil if it says nothing, or is no
    /// such field.
    private static func targeted(_ fields: HTTPFields) -> [(name: String, argument: String?)]? {
        var found: [(name: String, argument: String?)] = []
        for part in fields.values("cdn-cache-control").flatMap({ QuotedList.members(of: $0) }) {
            let words = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = withoutParameters(words[0])
            let argument = words.count > 1 ? withoutParameters(words[1]) : nil
            guard isKey(name), argument.map({ isItem($0, isNumber: numbers.contains(name)) }) ?? true else {
                return nil
            }
            found.append((name, argument))
        }
        return found.isEmpty ? nil : found
    }

    /// Parameters are allowed, and none has a meaning.
    private static func withoutParameters(_ text: Substring) -> String {
        String(text.hasPrefix("\"") ? text : text.prefix { $0 != ";" })
    }

    private static let numbers: Set = ["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"]

    private static func isKey(_ text: String) -> Bool {
        guard let first = text.utf8.first, first == UInt8(ascii: "*") || isLowercase(first) else { return false }
        return text.utf8.allSatisfy {
            isLowercase($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "_-.*".utf8.contains($0)
        }
    }

    private static func isLowercase(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }

    private static func isItem(_ text: String, isNumber: Bool) -> Bool {
        if isNumber { return DeltaSeconds.parse(text) != nil }
        return !text.isEmpty && (text.hasPrefix("\"") || !text.contains(" "))
    }

    /// `name`, `name=token` and `name="text"`, between commas that stand in no text.
    private static func members(of line: String) -> [(name: String, argument: String?)] {
        var members: [(name: String, argument: String?)] = []
        for part in QuotedList.members(of: line) {
            guard let mark = part.firstIndex(of: "=") else {
                members.append((part.lowercased(), nil))
                continue
            }
            var argument = part[part.index(after: mark)...]
            if argument.count >= 2, argument.first == "\"", argument.last == "\"" {
                argument = argument.dropFirst().dropLast()
            }
            members.append((part[..<mark].lowercased(), String(argument)))
        }
        return members
    }
}

/// Seconds as they stand in a directive and in `Age` (RFC 9111 §1.2.2).
enum DeltaSeconds {
    /// What is larger is this large: some 68 years.
    static let largest = Int(Int32.max)

    /// nil for anything but digits.
    static func parse(_ text: String) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return min(Int(text) ?? largest, largest)
    }
}
