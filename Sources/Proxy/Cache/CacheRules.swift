internal import HTTPWire

/// When an answer may be kept and given again: RFC 9111 for a shared cache. Pure: times come in as seconds since 1970.
enum CacheRules {
    /// Statuses whose answers may be kept for their validator alone, without a word about how long they are fresh.
    private static let keptByDefault: Set<Int> = [200, 203, 301, 308, 404, 410]

    /// Answers to what only some requests ask besides: a part, or something on a condition.
    private static let ofConditions: Set<HTTPStatus> = [
        .partialContent, .notModified, .preconditionFailed, .rangeNotSatisfiable,
    ]

    /// Whether an answer may be kept (RFC 9111 §3). Stricter than it must be: what sets a cookie is somebody's own, and
    /// part of a body is of little use.
    static func mayStore(
        _ request: RequestHead,
        _ status: HTTPStatus,
        _ fields: HTTPFields,
        receivedAt: Int
    ) -> Bool {
        guard request.method == .get, status.code >= 200, !ofConditions.contains(status) else { return false }
        let asked = CacheDirectives(request.fields, isRequest: true)
        let said = CacheDirectives(fields, isRequest: false)
        // `must-understand` lifts `no-store` for statuses that are understood (§5.2.2.3).
        let isForbidden = said.noStore && !(said.mustUnderstand && isUnderstood(status))
        guard !asked.noStore, !isForbidden, !said.isPrivate else { return false }
        guard !said.mustUnderstand || isUnderstood(status) else { return false }
        guard !fields.contains("set-cookie"), !variesByEverything(fields) else { return false }
        if request.fields.contains("authorization"), !isForAll(said) { return false }
        let hasLifetime =
            said.sharedMaxAge != nil || said.maxAge != nil || !said.isTargeted && fields.contains("expires")
        if hasLifetime {
            return lifetime(said, fields, receivedAt: receivedAt) > 0 || hasValidator(fields) || allowsStale(said)
        }
        return hasValidator(fields) && (keptByDefault.contains(status.code) || said.isPublic)
    }

    /// Whether an answer to a request with `Authorization` is for everybody (RFC 9111 §3.5).
    static func isForAll(_ said: CacheDirectives) -> Bool {
        said.isPublic || said.mustRevalidate || said.sharedMaxAge != nil
    }

    private static func isUnderstood(_ status: HTTPStatus) -> Bool {
        [200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501].contains(status.code)
    }

    private static func allowsStale(_ said: CacheDirectives) -> Bool {
        (said.staleWhileRevalidate ?? 0) > 0 || (said.staleIfError ?? 0) > 0
    }

    private static func hasValidator(_ fields: HTTPFields) -> Bool {
        fields.contains("etag") || fields.contains("last-modified")
    }

    /// Also by what this proxy says anew in each request; host and scheme are what answers are kept under.
    private static func variesByEverything(_ fields: HTTPFields) -> Bool {
        fields.values("vary").flatMap { QuotedList.members(of: $0) }.map { $0.lowercased() }.contains { name in
            guard name != "*" else { return true }
            return FieldNames.isWrittenByProxy(Array(name.utf8).span) && name != "x-forwarded-proto"
                && name != "x-forwarded-host"
        }
    }

    /// How long an answer is fresh, in seconds (RFC 9111 §4.2.1). Nothing is guessed from `Last-Modified`: who says
    /// nothing is asked.
    static func lifetime(_ said: CacheDirectives, _ fields: HTTPFields, receivedAt: Int) -> Int {
        if let age = said.sharedMaxAge ?? said.maxAge { return age }
        guard !said.isTargeted else { return 0 }
        // Several, or what is no date, such as 0, is in the past (§5.3).
        guard let expires = date(fields, "expires") else { return 0 }
        // Without a date it is of when it came (RFC 9110 §6.6.1).
        guard let date = fields.contains("date") ? date(fields, "date") : receivedAt else { return 0 }
        return max(0, expires - date)
    }

    /// How old an answer was when it came (RFC 9111 §4.2.3).
    static func initialAge(_ fields: HTTPFields, requestedAt: Int, receivedAt: Int) -> Int {
        let apparent = date(fields, "date").map { max(0, receivedAt - $0) } ?? 0
        // Of several the first; what cannot be read does not count.
        let said = fields["age"].flatMap { DeltaSeconds.parse(String($0.prefix { $0 != "," })) } ?? 0
        return max(apparent, said + receivedAt - requestedAt)
    }

    /// How many seconds may lie between the clocks of an upstream and of this cache.
    private static let clockDifferenceMax = 60

    /// Whether the time in `Last-Modified` can be that of no other body (RFC 9110 §8.8.2.2): the answer is of a later
    /// second, by the same clock. Where it does not say when it is from, it is long ago by ours.
    static func isModificationStrong(_ fields: HTTPFields, receivedAt: Int) -> Bool {
        guard let modified = date(fields, "last-modified") else { return false }
        guard fields.contains("date") else { return receivedAt - modified > clockDifferenceMax }
        return date(fields, "date").map { $0 > modified } ?? false
    }

    /// The only value of a field, as a date; nil for another number of them, and for what is none.
    private static func date(_ fields: HTTPFields, _ name: String) -> Int? {
        let values = fields.values(name)
        return values.count == 1 ? HTTPDate.parse(values[0]) : nil
    }

    // MARK: Using what is kept

    /// What is done with a kept answer.
    enum Use: Equatable {
        /// Given as it is.
        case serve
        /// Given as it is, and asked for anew beside it.
        case serveAndRefresh
        /// Asked for anew first.
        case validate
    }

    /// How a kept answer may be used for a request (RFC 9111 §4).
    static func use(_ kept: Freshness, asked: CacheDirectives, now: Int) -> Use {
        guard !kept.said.noCache, !asked.noCache else { return .validate }
        let age = kept.age(now: now)
        let staleness = age - kept.lifetime
        if let most = asked.maxAge, age > most { return .validate }
        if staleness < 0 { return -staleness >= (asked.minFresh ?? 0) ? .serve : .validate }
        guard !kept.mustValidate, asked.minFresh == nil else { return .validate }
        if let tolerated = asked.maxStale, staleness <= tolerated { return .serve }
        if let allowed = kept.said.staleWhileRevalidate, staleness <= allowed, asked.maxAge == nil {
            return .serveAndRefresh
        }
        return .validate
    }

    /// Whether a kept answer would be given if the request did not forbid it.
    static func isFresh(_ kept: Freshness, now: Int) -> Bool {
        !kept.said.noCache && kept.age(now: now) < kept.lifetime
    }

    /// Whether a kept answer stands in for one that could not be had, or was an error (RFC 5861 §4).
    static func mayServeOnError(_ kept: Freshness, asked: CacheDirectives, now: Int) -> Bool {
        guard !kept.mustValidate, !kept.said.noCache, !asked.noCache else { return false }
        let staleness = kept.age(now: now) - kept.lifetime
        return staleness <= max(kept.said.staleIfError ?? -1, asked.staleIfError ?? -1)
    }

    /// Statuses for which ``mayServeOnError(_:asked:now:)`` is asked.
    static func isError(_ status: HTTPStatus) -> Bool { [500, 502, 503, 504].contains(status.code) }

    /// Whether the answer to a request says that what is kept under its target is not right any more (RFC 9111 §4.4).
    static func invalidates(_ method: HTTPMethod, _ status: HTTPStatus) -> Bool {
        !isSafe(method) && (200..<400).contains(status.code)
    }

    /// Whether a method only reads. One that nobody knows may do anything.
    static func isSafe(_ method: HTTPMethod) -> Bool {
        ["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "SEARCH", "REPORT"].contains(method.rawValue)
    }
}

/// How fresh a kept answer is.
struct Freshness: Sendable {
    let said: CacheDirectives
    /// Seconds.
    let lifetime: Int
    /// When it came.
    let receivedAt: Int
    private let initialAge: Int

    init(_ fields: HTTPFields, requestedAt: Int, receivedAt: Int) {
        said = CacheDirectives(fields, isRequest: false)
        lifetime = CacheRules.lifetime(said, fields, receivedAt: receivedAt)
        self.receivedAt = receivedAt
        initialAge = CacheRules.initialAge(fields, requestedAt: requestedAt, receivedAt: receivedAt)
    }

    func age(now: Int) -> Int { initialAge + max(0, now - receivedAt) }

    /// Whether it is never given once it is stale; `s-maxage` says so, too (RFC 9111 §5.2.2.10).
    var mustValidate: Bool { said.mustRevalidate || said.proxyRevalidate || said.sharedMaxAge != nil }
}
