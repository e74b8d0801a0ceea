internal import HTTPClient
internal import HTTPWire
internal import Reactor

/// One of those that a route's requests go to, with the connections that all clients share.
@ReactorActor
final class Upstream {
    let url: UpstreamURL
    let weight: Int
    let client: HTTPClient

    init(_ target: ProxyRoute.Target, of route: ProxyRoute) {
        url = target.url
        weight = target.weight
        var configuration = HTTPClientConfiguration()
        configuration.connectTimeout = route.connectTimeout
        configuration.responseHeadTimeout = route.timeout
        // Shorter than most servers keep theirs, so that it is rarely the upstream that closes first.
        configuration.idleTimeout = .seconds(4)
        configuration.connections = 1024
        configuration.idleConnections = 128
        // Passed on, never kept.
        configuration.responseLimits.bodyBytes = .max
        configuration.responseLimits.headBytes = 64 * 1024
        if route.targets.count > 1 {
            // Another one answers meanwhile, so nobody waits for this one, and it is asked seldom.
            configuration.connectWindow = .zero
            configuration.circuitBreaker.failures = 5
            configuration.circuitBreaker.longestOpening = .seconds(5)
        }
        client = HTTPClient(upstream: url.endpoint, configuration: configuration)
    }

    /// Whether nobody uses it.
    var isUnused: Bool {
        let load = client.load
        return load.busy + load.connecting + load.waiting == 0
    }

    /// How much it has to do for its weight.
    fileprivate var burden: Double {
        let load = client.load
        return Double(load.busy + load.waiting + 1) / Double(weight)
    }
}

/// Those that share the requests of one route.
@ReactorActor
struct UpstreamGroup {
    let upstreams: [Upstream]

    init(_ route: ProxyRoute) { upstreams = route.targets.map { Upstream($0, of: route) } }

    /// Who gets the next request: of two, drawn by weight, the one with less to do. Who does not answer is left out, as
    /// long as there are others.
    ///
    /// - Parameter tried: Has failed already; nil for a request that is new.
    func choose(except tried: Upstream? = nil) -> Upstream {
        guard upstreams.count > 1 else { return upstreams[0] }
        let others = upstreams.filter { $0 !== tried }
        let able = others.filter { $0.client.circuit != .open }
        let candidates = able.isEmpty ? others : able
        let first = draw(candidates)
        let rest = candidates.filter { $0 !== first }
        guard !rest.isEmpty else { return first }
        let second = draw(rest)
        return second.burden < first.burden ? second : first
    }

    private func draw(_ candidates: [Upstream]) -> Upstream {
        var point = Int.random(in: 0..<candidates.reduce(0) { $0 + $1.weight })
        for candidate in candidates {
            point -= candidate.weight
            if point < 0 { return candidate }
        }
        return candidates[0]
    }
}
