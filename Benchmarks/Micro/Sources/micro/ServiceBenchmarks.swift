internal import CMeasure
internal import Configuration
internal import Gateway
internal import Glibc
internal import Service

extension Benchmark {
    /// One keep-alive request to a whole gateway: socket, parser, routes, handler, and back.
    static let services = [
        Benchmark(name: "gateway/health", kind: .gateway(Traffic(target: "/health"))),
        Benchmark(
            name: "gateway/cached-answer",
            kind: .gateway(Traffic(target: Example.target, cacheMilliseconds: 600_000))
        ),
        Benchmark(name: "gateway/forwarded-answer", kind: .gateway(Traffic(target: Example.target, isForwarded: true))),
        Benchmark(
            name: "gateway/proxied-answer",
            kind: .gateway(Traffic(target: "/proxied/thing", isForwarded: true, isProxied: true))
        ),
        Benchmark(
            name: "gateway/kept-answer",
            kind: .gateway(Traffic(target: "/proxied/thing", isProxied: true, isKept: true))
        ),
        Benchmark(
            name: "gateway/refused-request",
            kind: .gateway(Traffic(target: "/prices/average?start_date=2025-02-30", status: 400))
        ),
    ]
}

/// What is asked of a gateway.
struct Traffic: Sendable {
    /// The request's target.
    let target: String
    /// The gateway's `cache.average_ttl_ms`.
    var cacheMilliseconds = 0
    /// Whether each request reaches the next hop: the API, or the upstream of a proxy.
    var isForwarded = false
    /// Whether that is the upstream of a proxy.
    var isProxied = false
    /// Whether the proxy keeps answers.
    var isKept = false
    /// The status of the answer.
    var status = 200
}

/// Measures a gateway: it runs on this thread as it does in production, and another thread plays the client and the API.
func runGateway(_ traffic: Traffic, _ measure: @escaping @Sendable (Workload) -> Void) -> Never {
    let surroundings = Surroundings(traffic)
    let configuration = sure {
        try Configuration.parse(
            Role.gateway.schema,
            text: surroundings.configuration,
            file: "benchmark",
            environment: [:]
        )
    }
    allocations_count_this_thread()
    startThread {
        surroundings.connect()
        // The rest of a cache's life is spent here, so that what is asked below is a hit.
        if traffic.cacheMilliseconds > 0 || traffic.isKept { surroundings.exchange(isForwarded: true) }
        measure { count in
            for _ in 0..<count { surroundings.exchange(isForwarded: traffic.isForwarded) }
            waitUntilIdle()
        }
        surroundings.remove()
        exit(0)
    }
    exit(Role.gateway.run(configuration) { configuration })
}
