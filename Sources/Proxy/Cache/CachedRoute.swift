internal import HTTPWire
internal import Reactor
internal import WebAPI

/// Decides for each request of a route with a cache: given from it, waited for, or asked for.
@ReactorActor
struct CachedRoute {
    enum Decision {
        /// Given as it is.
        case give(CachedAnswer, cacheStatus: String, refreshes: Bool)
        /// Somebody asks the same: to be told of the answer.
        case wait(CacheFlight, reason: String)
        case ask(CacheTask)
        /// The client wants only what is kept, and nothing is.
        case fail
    }

    /// How long a request waits for another one's answer; then it asks for itself.
    static let patience = Duration.seconds(5)

    let cache: ResponseCache

    /// - Parameter mayWait: Whether the request has not waited yet.
    func decide(_ head: RequestHead, _ key: CacheKey, mayWait: Bool) -> Decision {
        let asked = CacheDirectives(head.fields, isRequest: true)
        // What may change something goes to the upstream, whatever it says (RFC 9111 §4).
        if asked.onlyIfCached, CacheRules.isSafe(head.method) { return stored(head, key, asked) }
        guard head.method == .get || head.method == .head else { return bystander(head, key, "method") }
        // Who would rather speak another protocol is not helped by an answer, and its tunnel would be waited for.
        guard !head.framing.hasBytes, !asked.noStore, ForwardedHead.upgrade(of: head) == nil else {
            return bystander(head, key, "request")
        }
        let isAuthorized = head.fields.contains("authorization")
        guard let kept = kept(for: head, key) else {
            let reason = missReason(head, key)
            guard head.method == .get else { return bystander(head, key, reason) }
            // What only a part or a condition is asked for may come to nothing that others could use.
            let isPlain = !head.fields.contains("range") && !ClientConditions.arePresent(head)
            return ask(head, key, nil, asked, reason, mayMerge: mayWait && !isAuthorized && isPlain)
        }
        switch CacheRules.use(kept.freshness, asked: asked, now: Clock.seconds) {
        case .serve:
            cache.note(.hit)
            return .give(kept, cacheStatus: "tickloop; hit; ttl=\(kept.ttl)", refreshes: false)
        case .serveAndRefresh:
            cache.note(.stale)
            return .give(kept, cacheStatus: "tickloop; hit; ttl=\(kept.ttl)", refreshes: true)
        case .validate:
            let reason = CacheRules.isFresh(kept.freshness, now: Clock.seconds) ? "request" : "stale"
            guard head.method == .get else { return bystander(head, key, reason) }
            return ask(head, key, kept, asked, reason, mayMerge: mayWait && !isAuthorized)
        }
    }

    /// What is kept that may be given to whoever asks so.
    private func kept(for head: RequestHead, _ key: CacheKey) -> CachedAnswer? {
        guard let kept = cache.answer(to: head, key) else { return nil }
        return !head.fields.contains("authorization") || CacheRules.isForAll(kept.freshness.said) ? kept : nil
    }

    /// Why nothing is kept that could be given (RFC 9211 §2.2).
    private func missReason(_ head: RequestHead, _ key: CacheKey) -> String {
        guard cache.hasVariants(key) else { return "uri-miss" }
        // What is kept and not given is not for whoever has a token.
        return cache.answer(to: head, key) == nil ? "vary-miss" : "request"
    }

    /// For a client that wants what is kept, or nothing (RFC 9111 §5.2.1.7). Its `no-store` is about answers that come
    /// from now on, of which there is none (§5.2.1.5); so nothing is made fresh on its behalf either.
    private func stored(_ head: RequestHead, _ key: CacheKey, _ asked: CacheDirectives) -> Decision {
        guard head.method == .get || head.method == .head, !head.framing.hasBytes, let kept = kept(for: head, key)
        else { return .fail }
        switch CacheRules.use(kept.freshness, asked: asked, now: Clock.seconds) {
        case .serve: cache.note(.hit)
        case .serveAndRefresh: cache.note(.stale)
        case .validate: return .fail
        }
        return .give(kept, cacheStatus: "tickloop; hit; ttl=\(kept.ttl)", refreshes: false)
    }

    /// Its answer is not kept.
    private func bystander(_ head: RequestHead, _ key: CacheKey, _ reason: String) -> Decision {
        .ask(CacheTask(cache, key, head, mayStore: false, reason: reason))
    }

    private func ask(
        _ head: RequestHead,
        _ key: CacheKey,
        _ kept: CachedAnswer?,
        _ asked: CacheDirectives,
        _ reason: String,
        mayMerge: Bool
    ) -> Decision {
        // Who wants it anew gets it anew.
        let merges = mayMerge && !asked.noCache && asked.maxAge == nil
        if merges, let flight = cache.flight(key) { return .wait(flight, reason: reason) }
        let flight = merges ? cache.beginFlight(key) : nil
        return .ask(CacheTask(cache, key, head, kept: kept, flight: flight, reason: reason))
    }
}
