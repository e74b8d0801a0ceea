import ArgumentParser
import Configuration
import Gateway
import Glibc
import InternalAPI
import Logging
import Postgres
import Reactor
import Redis
import Service
import Worker

/// `tickloop doctor`: what is not yet as it should be before strangers can reach the system.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says what is not yet so of \"Before you put it on the internet\" (etc/README.md).",
        discussion: """
            Reads the settings of gateway, API and worker, each with the environment, and asks PostgreSQL and Redis. \
            Prints a line for each finding; the exit status is 1 if there is one.
            """
    )

    @Option(help: "The folder with gateway.toml, api.toml and worker.toml.")
    var etc = "etc"

    func run() throws {
        let (gateway, api, worker) = (try load(.gateway), try load(.internalAPI), try load(.worker))
        var limit = rlimit()
        _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let descriptors = Int(clamping: limit.rlim_max)
        Glibc.exit(
            Reactor.run {
                let findings = Diagnosis(
                    gateway: gateway,
                    api: api,
                    worker: worker,
                    descriptorLimit: descriptors,
                    servers: await ServerFacts(asking: worker)
                )
                .findings
                for finding in findings { Terminal.say("\(finding)") }
                if findings.isEmpty { Terminal.say("Nothing found.") }
                return findings.isEmpty ? 0 : 1
            }
        )
    }

    private func load(_ role: Role) throws -> Configuration {
        let file = "\(etc)/\(role.schema.service).toml"
        return try ConfigurationOption.load(role.schema, file: Terminal.fileExists(file) ? file : nil)
    }
}

extension ServerFacts {
    /// Asks PostgreSQL and Redis, as the worker reaches them.
    @ReactorActor
    init(asking worker: Configuration) async {
        self.init()
        do {
            try await askPostgres(PostgresConfiguration(worker, name: "doctor"))
        } catch {
            silent.append("PostgreSQL: \(error)")
        }
        let redis = RedisClient(
            RedisConfiguration(worker, name: "doctor"),
            logger: Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
        )
        redis.start()
        defer { redis.close() }
        guard await redis.waitUntilReady(within: .seconds(3)) else {
            silent.append("Redis at \(redis.configuration.endpoint)")
            return
        }
        do {
            try await askRedis(redis)
        } catch {
            silent.append("Redis: \(error)")
        }
    }

    @ReactorActor
    private mutating func askPostgres(_ configuration: PostgresConfiguration) async throws {
        let session = try await PostgresSession.open(configuration)
        defer { session.close() }
        let result = try await session.query(
            """
            select current_setting('fsync') = 'on' and current_setting('synchronous_commit') <> 'off',
                extract(epoch from clock_timestamp())::bigint
            """,
            deadline: Reactor.now + .seconds(5)
        )
        isFlushed = result.text(0, 0) == "t"
        noteClock(seconds: result.int64(0, 1))
    }

    @ReactorActor
    private mutating func askRedis(_ redis: RedisClient) async throws(RedisError) {
        evictionPolicy = try await redis.command(["CONFIG", "GET", "maxmemory-policy"]).second
        isAppendOnly = try await redis.command(["CONFIG", "GET", "appendonly"]).second != "no"
        guard case .array(let time) = try await redis.command(["TIME"]), let seconds = time.first?.text else { return }
        noteClock(seconds: Int64(seconds))
    }

    @ReactorActor
    private mutating func noteClock(seconds: Int64?) {
        guard let seconds else { return }
        let difference = Reactor.unixTime - .seconds(seconds)
        clockDifference = max(clockDifference, max(difference, .zero - difference))
    }
}

extension RedisReply {
    fileprivate var text: String? {
        switch self {
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .status(let text): text
        default: nil
        }
    }

    /// The value of `CONFIG GET` of one name.
    fileprivate var second: String? {
        if case .array(let items) = self, items.count == 2 { items[1].text } else { nil }
    }
}
