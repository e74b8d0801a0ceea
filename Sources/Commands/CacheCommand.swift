import ArgumentParser
import Gateway
import Glibc
import Logging
import Proxy
import Reactor
import Redis
import Service

struct CacheCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache",
        abstract: "Looks after what the gateways keep of proxied answers.",
        subcommands: [CachePurgeCommand.self]
    )
}

struct CachePurgeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Makes all gateways forget what they keep of a URL."
    )
    @OptionGroup var options: ConfigurationOption
    @Flag(help: "Forget everything whose URL begins like this.") var prefix = false
    @Argument(help: "The URL as clients ask for it, with its query: http://HOST/PATH.") var url: String

    func run() throws {
        guard let target = CacheTarget(ofURL: url) else {
            throw ValidationError("\(url) is no URL that a gateway is asked for: http://HOST/PATH")
        }
        let configuration = try options.load(Role.gateway.schema)
        let prefix = prefix
        Glibc.exit(
            Reactor.run {
                let logger = Logger(label: "cache") { _ in SwiftLogNoOpLogHandler() }
                let redis = RedisClient(RedisConfiguration(configuration, name: "tool"), logger: logger)
                redis.start()
                guard await redis.waitUntilReady(within: .seconds(3)) else {
                    Terminal.complain("The broker cannot be reached at \(redis.configuration.endpoint).")
                    return 69  // EX_UNAVAILABLE of sysexits.h
                }
                do {
                    let gateways = try await CachePurges.purge(target, isPrefix: prefix, redis: redis)
                    redis.close()
                    print("told \(gateways) \(gateways == 1 ? "gateway" : "gateways")")
                    return 0
                } catch {
                    Terminal.complain("The broker failed: \(error).")
                    return 1
                }
            }
        )
    }
}
