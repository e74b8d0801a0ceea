internal import HTTPClient
internal import HTTPWire
internal import Reactor

/// One of those that a route's requests go to, with the connections that all clients share.
@ReactorActor
final class Upstream {
    /// How long one that has come back gets less than its share, so that it is not met by everything at once.
    private static let slowStart = Duration.seconds(10)
    /// The share that it begins with.
    private static let leastShare = 0.1

    let url: UpstreamURL
    /// What requests to it say whom they are for, unless it is what the client said.
    let host: FieldLine
    let client: HTTPClient
    /// What statistics say of who was asked.
    let source: CarriedSource
    private let weight: Int
    private var check: UpstreamCheck?
    /// Whether the last checks were answered.
    private var isUp = true
    /// When it answered again after it had not.
    private var recoveredAt: Instant?

    init(_ target: ProxyRoute.Target, of route: ProxyRoute) {
        url = target.url
        host = .host(target.url.authority)
        weight = target.weight
        source = CarriedSource(route: route.prefix, origin: target.url.origin)
        var configuration = HTTPClientConfiguration()
        configuration.tls = target.url.isSecure ? route.tls : nil
        configuration.connectTimeout = route.connectTimeout
        configuration.responseHeadTimeout = route.timeout
        // Shorter than most servers keep theirs, so that it is rarely the upstream that closes first.
        configuration.idleTimeout = .seconds(4)
        configuration.connections = 1024
        configuration.idleConnections = 128
        // Passed on, never kept.
        configuration.responseLimits.bodyBytes = .max
        configuration.responseLimits.headBytes = 64 * 1024
        // Some set many cookies; what they weigh is bounded by the bytes.
        configuration.responseLimits.fieldCount = 1000
        if route.targets.count > 1 {
            // Another one answers meanwhile, so nobody waits for this one, and it is asked seldom.
            configuration.connectWindow = .zero
            configuration.circuitBreaker.failures = 5
            configuration.circuitBreaker.longestOpening = .seconds(5)
        }
        client = HTTPClient(upstream: url.endpoint, configuration: configuration)
        client.onCircuitChange = { [unowned self] isOpen in recoveredAt = isOpen ? nil : Reactor.now }
        guard let path = route.checkPath else { return }
        check = UpstreamCheck(client, url, path, every: route.checkInterval) { [unowned self] isUp in
            if isUp, !self.isUp { recoveredAt = Reactor.now }
            self.isUp = isUp
        }
    }

    /// Asks no more whether it answers.
    func stopChecking() { check = nil }

    /// Whether nobody uses it.
    var isUnused: Bool {
        let load = client.load
        return load.busy + load.connecting + load.waiting == 0
    }

    /// Whether it is known to answer, or not known not to.
    var isAble: Bool { isUp && client.circuit != .open }

    /// How much of the requests it gets beside the others.
    fileprivate var share: Double {
        guard let recoveredAt else { return Double(weight) }
        let ramp = (Reactor.now - recoveredAt) / Self.slowStart
        guard ramp < 1 else {
            self.recoveredAt = nil
            return Double(weight)
        }
        return Double(weight) * max(Self.leastShare, ramp)
    }

    /// How much it has to do for its share; nothing is nothing, whatever the share.
    fileprivate var burden: Double {
        let load = client.load
        return Double(load.busy + load.waiting) / share
    }
}

/// Those that share the requests of one route.
@ReactorActor
struct UpstreamGroup {
    let upstreams: [Upstream]

    init(_ route: ProxyRoute) { upstreams = route.targets.map { Upstream($0, of: route) } }

    /// Who gets the next request: of two, drawn by their shares, the one with less to do, and the first if that is the
    /// same. Who does not answer is left out, as long as there are others.
    ///
    /// - Parameter tried: Has failed already; nil for a request that is new.
    func choose(except tried: Upstream? = nil) -> Upstream {
        guard upstreams.count > 1 else { return upstreams[0] }
        let others = upstreams.filter { $0 !== tried }
        let able = others.filter(\.isAble)
        let candidates = able.isEmpty ? others : able
        let first = draw(candidates)
        let rest = candidates.filter { $0 !== first }
        guard !rest.isEmpty else { return first }
        let second = draw(rest)
        return second.burden < first.burden ? second : first
    }

    /// Whether an upstream is asked though its circuit is open, because nobody else is left.
    func insists(on upstream: Upstream) -> Bool { upstreams.count > 1 && upstream.client.circuit == .open }

    private func draw(_ candidates: [Upstream]) -> Upstream {
        var point = Double.random(in: 0..<candidates.reduce(0) { $0 + $1.share })
        for candidate in candidates {
            point -= candidate.share
            if point < 0 { return candidate }
        }
        return candidates[candidates.count - 1]
    }
}
