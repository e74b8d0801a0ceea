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
        isExternal: Bool = false
    ) -> UpPlan {
        let options = UpOptions(
            dataFolder: folder,
            home: "/no/home",
            program: "/bin/tickloop",
            environment: environment
        )
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
            ports: UpPlan.Ports(api: 20_003, simulator: 20_004, workers: [20_005, 20_006])
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

    @Test func `children use the private servers, whatever the environment says, unless told otherwise`() {
        let other = [
            "TICKLOOP_DATABASE_URL": "postgresql://elsewhere/db", "TICKLOOP_REDIS_URL": "redis://elsewhere",
            "TICKLOOP_GATEWAY_URL": "http://elsewhere", "TICKLOOP_LOGGING_FORMAT": "json", "A": "b",
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
                export TICKLOOP_SIMULATOR_URL='http://127.0.0.1:20004'
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
