import Glibc
import Reactor
import TestSupport
import Testing

@testable import Supervision
@testable import tickloop

@Suite struct UpPlanTests {
    init() { Reactor.runInBackground() }

    private func plan(
        folder: String = "/srv/data",
        environment: [String: String] = [:],
        isExternal: Bool = false,
        several: Bool = false,
        hasSample: Bool = true
    ) -> UpPlan {
        var options = UpOptions(
            dataFolder: folder,
            home: "/no/home",
            program: "/bin/tickloop",
            environment: environment
        )
        options.hasSample = hasSample
        options.queue = "jobs"
        let servers = UpPlan.Servers(
            postgres: PostgresAddress(
                port: 20_001,
                socketFolder: "/srv/s",
                user: "tickloop",
                password: "pw",
                database: "tickloop"
            ),
            redis: RedisAddress(port: 20_002, socketPath: "/srv/r.sock")
        )
        return UpPlan(
            options: options,
            servers: isExternal ? nil : servers,
            ports: UpPlan.Ports(
                api: 20_003,
                admin: 20_011,
                simulator: 20_004,
                workers: [20_005, 20_006],
                apis: several ? [20_007, 20_008] : [],
                gateways: several ? [20_009, 20_010] : []
            )
        )
    }

    @Test func `services start in the order in which they need one another`() {
        let names = plan().tiers.map { $0.map(\.name) }
        #expect(names == [["simulator-1"], ["worker-1", "worker-2"], ["api-1"], ["gateway-1"]])
        #expect(
            plan().preparations.map(\.command.arguments) == [
                ["migrate", "--sql", "/no/home/sql"], ["seed", "--sample", "--sql", "/no/home/sql"],
                ["import", "conversations", "--sample", "--reader", "/no/home/etc/read-parquet"],
            ]
        )
    }

    @Test func `the sample data are left out if nobody wants them`() {
        #expect(plan(hasSample: false).preparations.map(\.name) == ["migrate"])
    }

    @Test func `several gateways share the port, several APIs one of their own, and each can be asked alone`() {
        let several = plan(several: true)
        #expect(several.tiers[2].map(\.name) == ["api-1", "api-2"])
        #expect(several.tiers[3].map(\.name) == ["gateway-1", "gateway-2"])
        let listens = several.tiers[2...3].joined().map { $0.command.environment["TICKLOOP_SERVER_LISTEN"] }
        #expect(
            listens == [
                "127.0.0.1:20007,127.0.0.1:20003", "127.0.0.1:20008,127.0.0.1:20003",
                "127.0.0.1:20009,127.0.0.1:8080", "127.0.0.1:20010,127.0.0.1:8080",
            ]
        )
        let shares = several.tiers[2...3].joined().map { $0.command.environment["TICKLOOP_SERVER_SHARE_PORT"] }
        #expect(shares == ["true", "true", "true", "true"])
        let upstreams = several.tiers[3].map { $0.command.environment["TICKLOOP_UPSTREAM_ADDRESS"] }
        #expect(upstreams == ["127.0.0.1:20003", "127.0.0.1:20003"])
        #expect(several.tiers[3].map(\.probe.endpoint.description) == ["127.0.0.1:20009", "127.0.0.1:20010"])
        #expect(several.targetsFile.contains(#"["127.0.0.1:20009", "127.0.0.1:20010"], "labels": {"job": "gateway"}"#))
        #expect(several.environmentFile.contains("export TICKLOOP_API_URL='http://127.0.0.1:20003'\n"))
    }

    @Test func `Prometheus is told where each process answers`() {
        #expect(
            plan().targetsFile == """
                [
                  {"targets": ["127.0.0.1:8080"], "labels": {"job": "gateway"}},
                  {"targets": ["127.0.0.1:20003"], "labels": {"job": "api"}},
                  {"targets": ["127.0.0.1:20005", "127.0.0.1:20006"], "labels": {"job": "worker"}},
                  {"targets": ["127.0.0.1:20004"], "labels": {"job": "simulator"}}
                ]

                """
        )
    }

    @Test func `each service is told where to listen and asked there whether it is ready`() {
        let services = plan().tiers.flatMap(\.self)
        #expect(
            services.map { $0.command.environment["TICKLOOP_SERVER_LISTEN"] } == [
                "127.0.0.1:20004", "127.0.0.1:20005", "127.0.0.1:20006",
                "127.0.0.1:20003,unix:/srv/data/run/api-1.sock",
                "127.0.0.1:8080",
            ]
        )
        #expect(
            services.map(\.probe.endpoint.description) == [
                "127.0.0.1:20004", "127.0.0.1:20005", "127.0.0.1:20006", "127.0.0.1:20003", "127.0.0.1:8080",
            ]
        )
        #expect(services.map(\.command.arguments) == [["simulator"], ["worker"], ["worker"], ["api"], ["gateway"]])
    }

    @Test(arguments: [
        ("/srv/data", "unix:/srv/data/run/api-1.sock"), ("/srv/a,b", "127.0.0.1:20003"),
        ("/" + String(repeating: "x", count: 100), "127.0.0.1:20003"),
    ])
    func `the gateway reaches the API by its socket where the path allows`(folder: String, expected: String) {
        let gateway = plan(folder: folder).tiers[3][0]
        #expect(gateway.command.environment["TICKLOOP_UPSTREAM_ADDRESS"] == expected)
    }

    @Test func `services keep what they free at hand, unless told otherwise`() {
        func tunables(_ environment: [String: String]) -> Set<String?> {
            Set(plan(environment: environment).tiers.joined().map { $0.command.environment["GLIBC_TUNABLES"] })
        }
        #expect(tunables([:]) == ["glibc.malloc.tcache_count=256"])
        #expect(tunables(["GLIBC_TUNABLES": "glibc.malloc.check=1"]) == ["glibc.malloc.check=1"])
    }

    @Test func `children use the private servers, whatever the environment says, unless told otherwise`() {
        let other = [
            "TICKLOOP_DATABASE_URL": "postgresql://elsewhere/db", "TICKLOOP_REDIS_URL": "redis://elsewhere",
            "TICKLOOP_GATEWAY_URL": "http://elsewhere", "TICKLOOP_WORKER_URLS": "http://elsewhere",
            "TICKLOOP_LOGGING_FORMAT": "json", "A": "b",
        ]
        let own = plan(environment: other).preparations[0].command.environment
        #expect(
            own == [
                "TICKLOOP_DATABASE_URL": "postgresql://tickloop@/tickloop?host=/srv/s&port=20001",
                "TICKLOOP_REDIS_URL": "unix:///srv/r.sock?db=0", "TICKLOOP_SIMULATOR_URL": "http://127.0.0.1:20004",
                "TICKLOOP_LOGGING_FORMAT": "json", "A": "b",
            ]
        )
        let external = plan(environment: other, isExternal: true).preparations[0].command.environment
        #expect(external["TICKLOOP_DATABASE_URL"] == "postgresql://elsewhere/db")
        #expect(external["TICKLOOP_GATEWAY_URL"] == nil)
    }

    @Test func `the file for a shell names everything over TCP`() {
        #expect(
            plan().environmentFile == """
                export TICKLOOP_GATEWAY_URL='http://127.0.0.1:8080'
                export TICKLOOP_API_URL='http://127.0.0.1:20003'
                export TICKLOOP_ADMIN_URL='http://127.0.0.1:20011'
                export TICKLOOP_SIMULATOR_URL='http://127.0.0.1:20004'
                export TICKLOOP_WORKER_URLS='http://127.0.0.1:20005 http://127.0.0.1:20006'
                export TICKLOOP_QUEUE_NAME='jobs'
                export TICKLOOP_DATABASE_URL='postgresql://tickloop:pw@127.0.0.1:20001/tickloop'
                export TICKLOOP_REDIS_URL='redis://127.0.0.1:20002/0'

                """
        )
        let external = plan(environment: ["TICKLOOP_DATABASE_URL": "postgresql://u:it's@h/d"], isExternal: true)
        #expect(external.environmentFile.hasSuffix("export TICKLOOP_DATABASE_URL='postgresql://u:it'\\''s@h/d'\n"))
    }

    @Test func `lines stand under one another, in colour only on a terminal`() {
        let plain = LineStyle(names: ["up", "worker-1"], isColored: false)
        #expect(plain.line("up", "x") == "up       | x\n")
        #expect(plain.line("worker-1", "") == "worker-1 | \n")
        let colored = LineStyle(names: ["up", "worker-1"], isColored: true)
        #expect(colored.line("up", "x") == "\u{1b}[36mup       |\u{1b}[0m x\n")
    }

    @Test @ReactorActor func `what nobody reads is dropped, and how much is said later`() async throws {
        var ends: [CInt] = [-1, -1]
        #expect(unsafe pipe(&ends) == 0)
        let reading = FileDescriptor(owning: ends[0])
        let writing = FileDescriptor(owning: ends[1])
        let console = Console(descriptor: writing.number, names: ["a"])
        let text = String(repeating: "x", count: 99_995)
        for _ in 0..<20 { console.say("a", text) }

        _ = fcntl(reading.number, F_SETFL, O_NONBLOCK)
        var received: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        try await eventually("the report of what was dropped") {
            let count = unsafe read(reading.number, &block, block.count)
            if count > 0 { received += block[..<count] }
            return received.suffix(8).elementsEqual("dropped\n".utf8)
        }
        #expect(received.count == 10 * 100_000 + "up | 10 lines were dropped\n".utf8.count)
    }
}
