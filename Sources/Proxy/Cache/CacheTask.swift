internal import HTTPBodies
internal import HTTPClient
internal import HTTPWire
internal import Reactor

/// What one request to an upstream means for the cache: what it asks besides, and what its answer is good for.
@ReactorActor
final class CacheTask {
    /// What is done with an answer whose head has come.
    enum Verdict {
        /// It is the client's alone.
        case pass(cacheStatus: String)
        /// It is kept; its body goes to it and from there to whoever reads.
        case fill(CachedAnswer, cacheStatus: String)
        /// What is kept is given in its place.
        case give(CachedAnswer, cacheStatus: String)
        /// It says nothing of what is kept: the upstream is to be asked again, without a condition.
        case again
    }

    private let cache: ResponseCache
    private let key: CacheKey
    private let head: RequestHead
    private let asked: CacheDirectives
    /// What is kept and no longer fresh.
    private var kept: CachedAnswer?
    /// Whether the answer may be kept; if not, what is kept may be wrong afterwards.
    private let mayStore: Bool
    /// What `Cache-Status` says of why the upstream was asked.
    private let reason: String
    private let requestedAt = Clock.seconds
    /// What was forgotten before it was asked.
    private var lastForgotten: Int
    private var flight: CacheFlight?
    private var state = CacheFill<CachedAnswer>.asked
    /// Where the answer comes from.
    private var source: HTTPBody?
    /// Told when nothing more of it is taken.
    private var onEnd: (() -> Void)?

    /// A request whose answer may be kept.
    ///
    /// - Parameter flight: Those who wait for this one's answer.
    init(
        _ cache: ResponseCache,
        _ key: CacheKey,
        _ head: RequestHead,
        kept: CachedAnswer? = nil,
        flight: CacheFlight? = nil,
        mayStore: Bool = true,
        reason: String
    ) {
        self.cache = cache
        lastForgotten = cache.lastForgotten
        self.key = key
        self.head = head
        self.kept = kept
        self.flight = flight
        self.mayStore = mayStore
        self.reason = reason
        asked = CacheDirectives(head.fields, isRequest: true)
    }

    /// What the upstream is asked besides, in the place of what the client asked.
    var conditions: HTTPFields? { kept?.conditions }

    /// Whether a field of the client is left out, because its answer is made here.
    func replaces(_ name: Span<UInt8>) -> Bool {
        guard kept != nil else { return false }
        return ["if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range", "range"]
            .contains { name.isIgnoringCase($0) }
    }

    // MARK: The answer

    /// - Parameters:
    ///   - fields: Those of the answer that are passed on.
    ///   - hasReader: Whether somebody reads it who would also read what is not kept.
    func began(_ response: ResponseHead, _ fields: HTTPFields, hasReader: Bool = true) -> Verdict {
        let now = Clock.seconds
        let status = "tickloop; fwd=\(reason); fwd-status=\(response.status.code)"
        guard mayStore else {
            if CacheRules.invalidates(head.method, response.status) { invalidate(fields) }
            cache.note(.passed)
            return .pass(cacheStatus: status)
        }
        if let kept {
            if response.status == .notModified { return validated(kept, fields, now) }
            if CacheRules.isError(response.status), let given = failed(response.status) { return given }
        }
        let isStored =
            CacheRules.mayStore(head, response.status, fields, receivedAt: now) && cache.mayFill(response)
        guard isStored else {
            if response.status.code < 500, kept != nil { cache.invalidate(key.target) }
            cache.note(.passed)
            land(.alone)
            return .pass(cacheStatus: status)
        }
        let answer = CachedAnswer(
            response,
            fields,
            to: head,
            requestedAt: requestedAt,
            receivedAt: now,
            weights: cache.weights
        )
        cache.note(.stored)
        release(unlessForAll: answer)
        perform(state.began(answer, isSized: answer.length != nil, hasReader: hasReader))
        return .fill(answer, cacheStatus: "\(status); stored")
    }

    /// What a request changed is not known any more, nor what it says that it changed on the same host (RFC 9111 §4.4).
    private func invalidate(_ fields: HTTPFields) {
        cache.invalidate(key.target)
        for reference in fields.values("location") + fields.values("content-location") {
            guard let target = key.resolving(reference), target.host == key.target.host else { continue }
            cache.invalidate(target)
        }
    }

    private func validated(_ kept: CachedAnswer, _ fields: HTTPFields, _ now: Int) -> Verdict {
        guard kept.isMeant(by: fields) else {
            cache.invalidate(key.target)
            lastForgotten = cache.lastForgotten
            self.kept = nil
            return .again
        }
        let answer = kept.freshened(by: fields, to: head, requestedAt: requestedAt, receivedAt: now)
        let status = "tickloop; fwd=\(reason); fwd-status=304"
        cache.note(.validated)
        // It may be the client's alone now.
        guard CacheRules.mayStore(head, answer.status, answer.fields, receivedAt: now) else {
            cache.invalidate(key.target)
            land(.alone)
            return .give(answer, cacheStatus: status)
        }
        cache.keep(answer, under: key, asked: lastForgotten)
        release(unlessForAll: answer)
        land(.shared(answer))
        return .give(answer, cacheStatus: "\(status); stored")
    }

    /// Lets those who wait ask for themselves, if each would have to ask whether the answer is right.
    private func release(unlessForAll answer: CachedAnswer) {
        let use = CacheRules.use(answer.freshness, asked: CacheDirectives(), now: Clock.seconds)
        if use == .validate { land(.alone) }
    }

    /// There is no answer, or it is an error: what is kept may do, unless it was forgotten meanwhile.
    ///
    /// - Parameter status: Of the error; nil if there is no answer.
    func failed(_ status: HTTPStatus? = nil) -> Verdict? {
        guard let kept, !cache.hasForgotten(key.target, since: lastForgotten),
            CacheRules.mayServeOnError(kept.freshness, asked: asked, now: Clock.seconds)
        else {
            land(.alone)
            return nil
        }
        cache.note(.staleOnError)
        land(.shared(kept))
        let status = status.map { "; fwd-status=\($0.code)" } ?? ""
        return .give(kept, cacheStatus: "tickloop; fwd=\(reason)\(status); detail=stale-if-error")
    }

    /// Takes the body of the answer: at the upstream's pace, whoever reads it, because what is kept is small; what is
    /// not kept at the pace of its reader.
    func fill(from source: HTTPBody) {
        self.source = source
        source.read { [self] result in
            switch result {
            case .success(let piece?): append(piece.span)
            case .success(nil): return ended(isWhole: true)
            case .failure: return ended(isWhole: false)
            }
            switch state {
            case .filling: fill(from: source)
            case .passing(let answer):
                if !answer.whenRoom({ [self] in fill(from: source) }) { fill(from: source) }
            case .asked, .over: break
            }
        }
    }

    private func append(_ bytes: Span<UInt8>) {
        switch state {
        case .filling(let answer, hasReader: _):
            answer.append(bytes)
            guard answer.length == nil, answer.body.count > cache.answerBytesMax || !cache.mayGrow() else { return }
            perform(state.outgrew())
        case .passing(let answer): answer.append(bytes)
        case .asked, .over: break
        }
    }

    /// Takes the answer to a request that was made for the cache alone.
    func refresh(
        with result: Result<HTTPClientResponse, HTTPClientError>,
        onEnd: @escaping @ReactorActor () -> Void
    ) {
        self.onEnd = onEnd
        // An error changes nothing: what is kept is served until it is too old.
        if case .success(let response) = result, !CacheRules.isError(response.status) {
            let fields = response.fields.endToEnd(announcesTrailers: false) { FieldNames.isForProxy($0) }
            if case .fill = began(response.head, fields, hasReader: false) { return fill(from: response.pulled) }
        }
        if case .success(let response) = result { response.rest?.cancel() }
        ended(isWhole: false)
    }

    /// Nobody reads the answer any more but who may find it kept.
    func readerLeft() { perform(state.readerLeft()) }

    /// The answer is complete, or will not be. Called at the end, also when nothing was kept.
    func ended(isWhole: Bool) { perform(state.ended(isWhole: isWhole)) }

    private func perform(_ action: CacheFill<CachedAnswer>.Action) {
        switch action {
        case .none: return
        case .share(let answer):
            // Whoever comes before it is whole reads along, too.
            flight?.land(.shared(answer))
            return
        case .detach(let answer):
            answer.detach()
            return land(.alone)
        case .keep(let answer):
            answer.end(.complete)
            cache.keep(answer, under: key, asked: lastForgotten)
            land(.shared(answer))
            answer.tellReaders()
        case .drop(let answer, let isWhole):
            source?.cancel()
            answer.end(isWhole ? .complete : .cut)
            answer.tellReaders()
            land(.alone)
        case .release: land(.alone)
        }
        source = nil
        onEnd.take()?()
    }

    private func land(_ outcome: CacheFlight.Outcome) {
        guard let flight = flight.take() else { return }
        cache.endFlight(key, flight)
        flight.land(outcome)
    }
}

extension CachedAnswer {
    /// Seconds that it is still fresh; less than 0 since it is not.
    var ttl: Int { freshness.lifetime - freshness.age(now: Clock.seconds) }
}

/// The time of day, to the second, as HTTP's dates have it.
enum Clock {
    @ReactorActor static var seconds: Int { Reactor.unixSeconds }
}
