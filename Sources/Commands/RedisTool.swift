import ArgumentParser
import Configuration
import Glibc
import Logging
import Reactor
import Redis
import Service
import Worker

/// Options and start-up of the commands that work on Redis and end.
struct RedisTool: ParsableArguments {
    @OptionGroup var options: ConfigurationOption

    /// Connects, calls `body` on the loop and ends the process with the status that it returns.
    func run(
        _ body: @escaping @ReactorActor (RedisClient, Configuration) async throws(RedisError) -> CInt
    ) throws -> Never {
        let configuration = try options.load(Role.worker.schema)
        Glibc.exit(
            Reactor.run {
                // What the connection has to say while it is made is said once, below.
                let logger = Logger(label: "tool") { _ in SwiftLogNoOpLogHandler() }
                let redis = RedisClient(RedisConfiguration(configuration, name: "tool"), logger: logger)
                redis.start()
                guard await redis.waitUntilReady(within: .seconds(3)) else {
                    let endpoint = redis.configuration.endpoint
                    Terminal.complain("The broker cannot be reached at \(endpoint): \(Self.cause(redis.fault))")
                    return 69  // EX_UNAVAILABLE of sysexits.h
                }
                defer { redis.close() }
                do {
                    return try await body(redis, configuration)
                } catch {
                    Terminal.complain("The broker failed: \(error).")
                    return 1
                }
            }
        )
    }

    /// Why there is no connection, and what to do about it.
    private static func cause(_ fault: RedisFault?) -> String {
        switch fault {
        case .unresolved(let error)?:
            "its name has no address (\(error)). Set redis.address, or TICKLOOP_REDIS_ADDRESS, to where Redis is."
        case .refused(let error)? where error.code == .notAllowed:
            "it refused the user or the password (\(error)). Set redis.password, or TICKLOOP_REDIS_PASSWORD."
        case .refused(let error)?: "it refused the connection (\(error)). Try again later."
        case .system(let words)?:
            "\(words). Is Redis running there? Under `tickloop up`, load run/env of its folder first."
        case .timedOut?, nil: "it did not answer in time. Is it the right address, and does Redis run there?"
        case .closedByPeer?, .malformedReply?: "\(fault.map(String.init(describing:)) ?? ""). Is it Redis?"
        case .closed?: "the connection was closed."
        }
    }
}

/// Most lines to show.
struct LineLimit: ParsableArguments {
    /// More are never shown at once, so that Redis is not busy for long.
    static let most = 10_000

    @Option(help: "Most of them to show, 1 to 10000.")
    var limit = 50

    func validate() throws {
        guard (1...Self.most).contains(limit) else {
            throw ValidationError("--limit must be between 1 and \(Self.most).")
        }
    }
}
