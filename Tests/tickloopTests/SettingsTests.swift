import Basics
import Gateway
import InternalAPI
import Reactor
import Service
import Simulator
import Supervision
import TestSupport
import Testing
import Worker

@testable import Configuration
@testable import tickloop

@Suite struct SettingsTests {
    /// The folder of the package, from the place of this file in it.
    private static let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()

    @Test(arguments: ServiceName.allCases.map(\.schema))
    func `the file in etc holds every key at its default`(schema: ConfigurationSchema) throws {
        let path = "\(Self.root)/etc/\(schema.service).toml"
        #expect(try FileContents.text(path, atMost: 1 << 20) == schema.template)
        #expect(schema.template.split(separator: "\n").allSatisfy { $0.count <= 120 })

        let configuration = try Configuration.load(schema, file: path, environment: [:])
        for entry in schema.entries {
            #expect(configuration.setting(entry.path).value == entry.defaultValue)
            #expect(configuration.setting(entry.path).source != .builtIn)
        }
    }

    @Test func `the manual has the table of all keys`() throws {
        let table = ConfigurationSchema.markdownTable(of: ServiceName.allCases.map(\.schema))
        #expect(try FileContents.text("\(Self.root)/etc/README.md", atMost: 1 << 20).contains(table))
    }

    @Test func `each service listens where the contract says`() throws {
        let expected = ["gateway": 8080, "api": 8000, "worker": 8010, "simulator": 8090]
        for schema in ServiceName.allCases.map(\.schema) {
            let configuration = try Configuration.load(schema, file: nil, environment: [:])
            let port = try #require(expected[schema.service])
            #expect(
                configuration[ServerSettings.table].listen == [
                    ServiceAddress(.tcp(host: "127.0.0.1", port: UInt16(port)))
                ]
            )
        }
    }

    @Test func `the gateway is told nothing of the database`() {
        let sections = Set(Role.gateway.schema.sections.map(\.name))
        #expect(sections.isDisjoint(with: ["database"]))
    }

    @Test func `a key that several services have means the same in each`() {
        var meanings: [String: String] = [:]
        for entry in ServiceName.allCases.map(\.schema).flatMap(\.entries) {
            #expect(meanings[entry.path, default: entry.meaning] == entry.meaning)
            meanings[entry.path] = entry.meaning
        }
        #expect(Set(meanings.keys.map { $0.uppercased().replacing(".", with: "_") }).count == meanings.count)
    }

    /// Where a request goes whose route is not there is then for nobody to guess.
    @Test(arguments: [
        "prefix = \"/a//\"", "prefix = \"/a/../\"", "prefix = \"/a b/\"", "prefix = \"/é/\"", "prefix = \"/%41/\"",
        "prefix = \"/a?/\"", "prefix = \"/a;b/\"", "prefix = \"/a\"", "prefix = \"/a/\"\nrewrite = \"/b c/\"",
        "prefix = \"/a/\"\nrewrite = \"/b?/\"", "prefix = \"/a/\"\nrewrite = \"/é/\"",
        "prefix = \"/a/\"\ncheck = \"/b c\"",
        "prefix = \"/a/\"\ncheck = \"/é\"", "prefix = \"/a/\"\ncheck = \"/#b\"",
    ])
    func `a route of the proxy with what cannot stand in a request is refused`(row: String) {
        let text = "[[proxy]]\nupstreams = [\"simulator\"]\n\(row)"
        let problems = #expect(throws: ConfigurationProblems.self) {
            try Configuration.parse(Role.gateway.schema, text: text, file: "a.toml", environment: [:])
        }
        let line = text.split(separator: "\n").count
        #expect(problems?.description.hasPrefix("a.toml:\(line): proxy[1].") == true)
    }

    @Test(arguments: [
        "prefix = \"/\"", "prefix = \"/.well-known/\"", "prefix = \"/a/b.c~d/\"",
        "prefix = \"/a/\"\nrewrite = \"/%20/\"",
        "prefix = \"/a/\"\ncheck = \"/b?c=d?\"",
    ])
    func `a route of the proxy that can be asked for is taken`(row: String) throws {
        let text = "[[proxy]]\nupstreams = [\"simulator\"]\n\(row)"
        _ = try Configuration.parse(Role.gateway.schema, text: text, file: "a.toml", environment: [:])
    }
}

/// What values have to be together: known from the file alone, so `tickloop config check` says it as the start does.
@Suite struct RuleTests {
    @Test(arguments: [
        ("[answers]\ncors_origins = [\"*\"]\ncors_credentials = true", 3, "answers.cors_credentials is not for every"),
        ("[auth]\nmode = \"jwt\"", 2, "auth.mode is jwt, which needs auth.keys"),
        ("[tls]\ncertificates = [\"a\", \"b\"]\nkeys = [\"a\"]", 3, "tls.keys must be as many as tls.certificates"),
        ("[tls]\nclient_certificates = \"optional\"", 2, "tls.client_certificates needs tls.client_authorities"),
        ("[server]\nlisten = [\"https://h:1\"]", 2, "server.listen holds https://h:1, which needs tls.certificates"),
        ("[server]\nmetrics_listen = [\"https://h:1\"]", 2, "server.metrics_listen holds https://h:1, which needs"),
        (
            "[[limits.rate]]\nroute = \"/\"\nrequests = 1\n[[limits.rate]]\nroute = \"/\"\nrequests = 2", 5,
            "limits.rate[2].route is limited twice"
        ),
        (
            "[[limits.rate]]\nroute = \"/\"\nrequests = 1\n[[limits.rate]]\nroute = \"/shop/\"\nrequests = 2", 5,
            "limits.rate[2].route is \"/shop/\", which is no route of this service"
        ),
        (
            "[[limits.rate]]\nroute = \"PUT /prices/latest\"\nrequests = 1", 2,
            "limits.rate[1].route is \"PUT /prices/latest\", which is no route of this service"
        ),
        (
            "[[proxy]]\nprefix = \"/a/\"\nupstreams = [\"simulator\"]\n"
                + "[[limits.rate]]\nroute = \"/categories/\"\nrequests = 1", 5,
            "limits.rate[1].route is \"/categories/\", which is no route of this service"
        ),
        (
            "[[proxy]]\nprefix = \"/a/\"\nupstreams = [\"simulator\"]\n"
                + "[[proxy]]\nupstreams = [\"simulator\"]\nprefix = \"/a/\"", 6,
            "proxy[2].prefix is that of another row"
        ),
        (
            "[[proxy]]\nprefix = \"/a/\"\nupstreams = [\"http://a\", \"http://b weight=0\"]", 3,
            "proxy[1].upstreams must be a list"
        ),
        ("[[proxy]]\nprefix = \"/a/\"\nupstreams = [\"http://me:secret@a\"]", 3, "proxy[1].upstreams must be a list"),
        ("[[proxy]]\nprefix = \"/a/\"\nupstreams = [\"http://a:99999\"]", 3, "proxy[1].upstreams must be a list"),
    ])
    func `values of the gateway that do not go together are refused`(text: String, line: Int, problem: String) {
        refused(text, .gateway, "a.toml:\(line): \(problem)")
    }

    @Test(arguments: [
        "/", "/prices/latest", "GET /prices/average", "DELETE /prices/poll/{id}", "/live", "/orders/{id}/stream",
        "/api/conversations", "/api/statistics/", "/statistics", "/shop/a/b", "PUT /shop/a/", "/shop/",
    ])
    func `a limit on a route of the gateway, or on what it passes on, is taken`(route: String) throws {
        let text = """
            [[proxy]]
            prefix = "/shop/"
            upstreams = ["simulator"]
            [[limits.rate]]
            route = "\(route)"
            requests = 1
            """
        _ = try Configuration.parse(Role.gateway.schema, text: text, file: "a.toml", environment: [:])
    }

    @Test func `values of the other services that do not go together are refused`() {
        refused("[admin]\nlisten = [\"192.0.2.1:1\"]", .internalAPI, "a.toml:2: admin.listen holds 192.0.2.1:1: only")
        let problem = "a.toml:3: prices.providers names other, and there is no [providers.other]"
        for role in [Role.internalAPI, .worker] { refused("\n[prices]\nproviders = [\"other\"]", role, problem) }
    }

    @Test func `the reason why a text of a list is refused is said`() {
        let row = "[[proxy]]\nprefix = \"/a/\"\nupstreams = [\"http://a\", \"http://b weight=0\"]"
        let problems = #expect(throws: ConfigurationProblems.self) {
            try Configuration.parse(Role.gateway.schema, text: row, file: "a.toml", environment: [:])
        }
        #expect(problems?.description.hasSuffix(": a weight is a whole number from 1 to 1000") == true)
    }

    private func refused(_ text: String, _ role: Role, _ start: String) {
        let problems = #expect(throws: ConfigurationProblems.self) {
            try Configuration.parse(role.schema, text: text, file: "a.toml", environment: [:])
        }
        #expect(problems?.description.hasPrefix(start) == true, "\(problems?.description ?? "taken")")
    }
}

/// What the manual says that a number may be.
@Suite struct RangeTests {
    init() { loop }

    /// All numbers of a service at one end of their ranges. There is nobody else: no database, no Redis, no API.
    @Test(arguments: ServiceName.allCases, [0, 1])
    @ReactorActor func `a service starts with every number at an end of its range`(
        service: ServiceName,
        end: Int
    ) async throws {
        let folder = try TestFolder.make()
        let endpoint = Endpoint.unix(path: "\(folder)/service.sock")
        var environment: [String: String] = [:]
        for entry in service.schema.entries where entry.kind == .integer || entry.kind == .number {
            environment[entry.variable] = entry.range.split(separator: " … ").map(String.init)[end]
        }
        environment["TICKLOOP_SERVER_LISTEN"] = endpoint.description
        environment["TICKLOOP_UPSTREAM_ADDRESS"] = "unix:\(folder)/nobody.sock"
        environment["TICKLOOP_REDIS_ADDRESS"] = "unix:\(folder)/nobody.sock"
        environment["TICKLOOP_DATABASE_HOST"] = folder
        environment["TICKLOOP_ADMIN_LISTEN"] = ""
        environment["TICKLOOP_EXCHANGE_LEDGER"] = "\(folder)/ledger"
        let process = try TickloopProcess([service.rawValue], environment: environment, folder: packageFolder)
        try await process.waitUntilReady(.http(endpoint, path: "/health"))
        try await process.kill()
    }
}
