import Reactor
import Supervision

/// Which of our own programs `tickloop up` runs, in which order, with which surroundings. Pure.
struct UpPlan {
    /// Where the servers that the roles need are, when they are private.
    struct Servers: Equatable {
        let postgres: PostgresAddress
        let redis: RedisAddress
    }

    /// The ports of 127.0.0.1 for all but the gateway and the servers.
    struct Ports: Equatable {
        /// Shared by all API processes.
        var api: UInt16
        /// Of the API, for operators.
        var admin: UInt16
        var simulator: UInt16
        var workers: [UInt16]
        /// Of each process alone, if there are several.
        var apis: [UInt16] = []
        var gateways: [UInt16] = []
    }

    let options: UpOptions
    /// `nil`: those of the configuration.
    let servers: Servers?
    let ports: Ports

    var gateway: Endpoint { .tcp(host: "127.0.0.1", port: options.gatewayPort) }
    var api: Endpoint { .tcp(host: "127.0.0.1", port: ports.api) }

    var admin: Endpoint { .tcp(host: "127.0.0.1", port: ports.admin) }

    var simulator: Endpoint { .tcp(host: "127.0.0.1", port: ports.simulator) }

    /// Where the gateway reaches the API: the Unix-domain socket, which is cheaper than loopback TCP, if its path is
    /// one that the kernel, and a list in an environment variable, can take. Several processes can share only a port.
    var apiSocket: Endpoint {
        guard ports.apis.isEmpty else { return api }
        let path = "\(options.dataFolder)/run/api-1.sock"
        return path.utf8.count <= Endpoint.longestUnixPathBytes && !path.contains(",") ? .unix(path: path) : api
    }

    /// The services in groups: all of one are ready before the next is started, and ended before the one before is
    /// stopped.
    var tiers: [[SupervisedService.Description]] {
        [
            [
                service(
                    "simulator",
                    1,
                    listen: [simulator],
                    extra: [
                        "TICKLOOP_EXCHANGE_LEDGER": options.environment["TICKLOOP_EXCHANGE_LEDGER"]
                            ?? "\(options.dataFolder)/exchange.ndjson"
                    ]
                )
            ],
            ports.workers.enumerated().map { index, port in
                service("worker", index + 1, listen: [.tcp(host: "127.0.0.1", port: port)])
            },
            several(
                "api",
                ports.apis,
                sharing: api == apiSocket ? [api] : [api, apiSocket],
                extra: ["TICKLOOP_ADMIN_LISTEN": admin.description]
            ),
            several(
                "gateway",
                ports.gateways,
                sharing: [gateway],
                extra: ["TICKLOOP_UPSTREAM_ADDRESS": apiSocket.description]
            ),
        ]
    }

    /// One process that listens where all are to be reached; or several, each of which can be asked alone, too.
    private func several(
        _ role: String,
        _ own: [UInt16],
        sharing shared: [Endpoint],
        extra: [String: String] = [:]
    ) -> [SupervisedService.Description] {
        if own.isEmpty { return [service(role, 1, listen: shared, extra: extra)] }
        let extra = extra.merging(["TICKLOOP_SERVER_SHARE_PORT": "true"]) { $1 }
        return own.enumerated().map { index, port in
            service(role, index + 1, listen: [.tcp(host: "127.0.0.1", port: port)] + shared, extra: extra)
        }
    }

    /// What runs once before the services: schema, then sample data.
    var preparations: [(name: String, command: Command)] {
        let sql = ["--sql", "\(options.home)/sql"]
        let samples = [
            ("seed", ["seed", "--sample"] + sql),
            ("sample", ["import", "conversations", "--sample", "--reader", "\(options.home)/etc/read-parquet"]),
        ]
        return ([("migrate", ["migrate"] + sql)] + (options.hasSample ? samples : [])).map { name, words in
            let arguments = words + configuration(of: "worker")
            return (name, Command(options.program, arguments, environment: environment))
        }
    }

    private var simulatorURL: String { "http://127.0.0.1:\(ports.simulator)" }

    /// What a shell needs to reach everything, for `. DIR/run/env`.
    var environmentFile: String {
        var variables = [
            ("TICKLOOP_GATEWAY_URL", "http://\(gateway)"), ("TICKLOOP_API_URL", "http://\(api)"),
            ("TICKLOOP_ADMIN_URL", "http://\(admin)"), ("TICKLOOP_SIMULATOR_URL", simulatorURL),
            ("TICKLOOP_WORKER_URLS", ports.workers.map { "http://127.0.0.1:\($0)" }.joined(separator: " ")),
            ("TICKLOOP_QUEUE_NAME", options.queue),
        ]
        let database = servers?.postgres.url ?? options.environment["TICKLOOP_DATABASE_URL"]
        let redis = servers?.redis.url ?? options.environment["TICKLOOP_REDIS_URL"]
        if let database { variables.append(("TICKLOOP_DATABASE_URL", database)) }
        if let redis { variables.append(("TICKLOOP_REDIS_URL", redis)) }
        return variables.map { "export \($0)='\($1.split(separator: "'").joined(separator: "'\\''"))'\n" }.joined()
    }

    /// Where each process answers `/metrics`, for Prometheus' `file_sd_configs`. A restart does not change it.
    var targetsFile: String {
        let groups = tiers.reversed().map { services in
            let role = services[0].name.prefix { $0 != "-" }
            let targets = services.map { "\"\($0.probe.endpoint)\"" }.joined(separator: ", ")
            return "  {\"targets\": [\(targets)], \"labels\": {\"job\": \"\(role)\"}}"
        }
        return "[\n\(groups.joined(separator: ",\n"))\n]\n"
    }

    /// Has glibc keep so many freed pieces of each size at hand; mallopt(3) cannot.
    ///
    /// It keeps 7, but a turn of the loop takes up dozens of requests before it ends as many, and each piece beyond
    /// costs a search.
    private static let allocator = ["GLIBC_TUNABLES": "glibc.malloc.tcache_count=256"]

    /// What every role and tool gets.
    private var environment: [String: String] {
        var variables = options.environment
        // Of another `up`, whose `env` the shell has read.
        variables["TICKLOOP_GATEWAY_URL"] = nil
        variables["TICKLOOP_API_URL"] = nil
        variables["TICKLOOP_WORKER_URLS"] = nil
        variables["TICKLOOP_ADMIN_URL"] = nil
        variables["TICKLOOP_SIMULATOR_URL"] = simulatorURL
        variables["TICKLOOP_LOGGING_FORMAT"] = variables["TICKLOOP_LOGGING_FORMAT"] ?? "text"
        if let servers {
            variables["TICKLOOP_DATABASE_URL"] = servers.postgres.localURL
            variables["TICKLOOP_REDIS_URL"] = servers.redis.localURL
        }
        return variables
    }

    private func configuration(of role: String) -> [String] {
        let file = "\(options.home)/etc/\(role).toml"
        return Files.isRegularFile(file) ? ["--config", file] : []
    }

    private func service(
        _ role: String,
        _ number: Int,
        listen: [Endpoint],
        extra: [String: String] = [:]
    ) -> SupervisedService.Description {
        var environment = Self.allocator.merging(environment) { $1 }.merging(extra) { $1 }
        environment["TICKLOOP_SERVER_LISTEN"] = listen.map(\.description).joined(separator: ",")
        var description = SupervisedService.Description(
            name: "\(role)-\(number)",
            command: Command(options.program, [role] + configuration(of: role), environment: environment),
            probe: .http(listen[0])
        )
        let sockets = listen.compactMap { if case .unix(let path) = $0 { path } else { nil } }
        // A killed process leaves its socket's name behind.
        description.beforeStart = { for path in sockets { Files.remove(path) } }
        return description
    }
}
