import Configuration
import Gateway
import InternalAPI
import Service
import Testing
import Worker

@testable import tickloop

@Suite struct DiagnosisTests {
    private func names(
        _ environment: [String: String],
        descriptors: Int = 1_000_000,
        _ servers: ServerFacts = ServerFacts(evictionPolicy: "noeviction")
    ) throws -> [String] {
        func load(_ schema: ConfigurationSchema, _ service: String) throws -> Configuration {
            var own = environment.filter { !$0.key.contains("/") }
            for (key, value) in environment where key.hasPrefix("\(service)/") {
                own[String(key.dropFirst(service.count + 1))] = value
            }
            return try Configuration.load(schema, file: nil, environment: own)
        }
        return Diagnosis(
            gateway: try load(Role.gateway.schema, "gateway"),
            api: try load(Role.internalAPI.schema, "api"),
            worker: try load(Role.worker.schema, "worker"),
            descriptorLimit: descriptors,
            servers: servers
        )
        .findings.map(\.name)
    }

    private static let good = [
        "gateway/TICKLOOP_SERVER_LISTEN": "https://0.0.0.0:443",
        "gateway/TICKLOOP_TLS_CERTIFICATES": "own.pem",
        "gateway/TICKLOOP_SERVER_METRICS_LISTEN": "127.0.0.1:9100",
        "gateway/TICKLOOP_AUTH_MODE": "jwt", "gateway/TICKLOOP_AUTH_KEYS": "keys.json",
        "api/TICKLOOP_AUTH_MODE": "jwt", "api/TICKLOOP_AUTH_KEYS": "keys.json",
        "worker/TICKLOOP_DATABASE_PASSWORD": "x7!kq", "worker/TICKLOOP_EXCHANGE_BASE_URL": "https://exchange.test",
    ]

    @Test func `a system that is as the manual says has no finding`() throws {
        #expect(try names(Self.good) == [])
    }

    @Test(arguments: [
        (["gateway/TICKLOOP_SERVER_LISTEN": "0.0.0.0:80"], ["tls"]),
        (["gateway/TICKLOOP_AUTH_MODE": "off"], ["auth", "auth"]), (["api/TICKLOOP_AUTH_MODE": "off"], ["auth"]),
        (["gateway/TICKLOOP_SERVER_METRICS_LISTEN": ""], ["metrics"]),
        (["api/TICKLOOP_SERVER_LISTEN": "10.0.0.1:8000"], ["api"]),
        (["worker/TICKLOOP_DATABASE_PASSWORD": "tickloop"], ["database.password"]),
        (["worker/TICKLOOP_REDIS_ADDRESS": "redis.internal:6379"], ["redis.password"]),
        (["worker/TICKLOOP_EXCHANGE_BASE_URL": "simulator"], ["exchange.base_url"]),
    ])
    func `each thing that is not so is found`(change: [String: String], expected: [String]) throws {
        #expect(try names(Self.good.merging(change) { $1 }) == expected)
    }

    @Test func `what the servers say is judged`() throws {
        func found(_ change: (inout ServerFacts) -> Void) throws -> [String] {
            var servers = ServerFacts(evictionPolicy: "noeviction")
            change(&servers)
            return try names(Self.good, servers)
        }
        #expect(try found { $0.evictionPolicy = "allkeys-lru" } == ["redis"])
        #expect(try found { $0.isAppendOnly = false } == ["redis"])
        #expect(try found { $0.isFlushed = false } == ["postgresql"])
        #expect(try found { $0.clockDifference = .seconds(2) } == ["clock"])
        #expect(try found { $0.silent = ["Redis"] } == ["unreachable"])
        #expect(try names(Self.good, descriptors: 1024) == ["descriptors"])
    }
}
