import Access
import Configuration
import HTTPClient
import Orders
import Postgres
import Reactor
import Redis
import Service

/// One thing that should be otherwise before strangers can reach the system.
struct Finding: Hashable, Sendable, CustomStringConvertible {
    /// What it is about, for a program.
    let name: String
    /// What is so, and what to do.
    let advice: String

    var description: String { "\(name): \(advice)" }
}

/// What the two servers say of themselves.
struct ServerFacts: Hashable, Sendable {
    /// Redis' `maxmemory-policy`, and whether it keeps what it was told over a restart.
    var evictionPolicy: String?
    var isAppendOnly = true
    /// PostgreSQL's `fsync` and `synchronous_commit`.
    var isFlushed = true
    /// By how much the clocks of this machine and of the two servers differ.
    var clockDifference = Duration.zero
    /// Who could not be asked, and why.
    var silent: [String] = []
}

/// Says what of "Before you put it on the internet" is not yet so. Pure.
struct Diagnosis {
    let gateway: Configuration
    let api: Configuration
    let worker: Configuration
    /// The hard limit on descriptors.
    let descriptorLimit: Int
    let servers: ServerFacts

    /// More than this, and leases and tokens are judged by different times.
    private static let clockDifferenceMax = Duration.seconds(1)
    /// Passwords that stand in this repository, or in many another.
    private static let knownPasswords: Set<String> = [
        "tickloop", "postgres", "redis", "password", "secret", "changeme",
    ]

    var findings: [Finding] { doors + passwords + outside + stores }

    // MARK: Who comes in

    private var doors: [Finding] {
        let settings = gateway[ServerSettings.table]
        let open = settings.listen.filter { !$0.endpoint.isOnThisMachine }
        var findings: [Finding] = []
        if let plain = open.first(where: { !$0.isSecure }) {
            findings.append(
                Finding(
                    name: "tls",
                    advice: "\(plain) speaks plain HTTP; write https://\(plain) and set tls.certificates"
                )
            )
        }
        let (own, next) = (gateway[AuthSettings.table].mode, api[AuthSettings.table].mode)
        if own == .off {
            findings.append(
                Finding(name: "auth", advice: "anybody may do anything; set auth.mode = \"jwt\" and auth.keys")
            )
        }
        if own != next {
            findings.append(
                Finding(
                    name: "auth",
                    advice: "the gateway has auth.mode \(own.rawValue), the API \(next.rawValue); set both alike"
                )
            )
        }
        if !open.isEmpty, !settings.tellsMetricsElsewhere {
            findings.append(
                Finding(name: "metrics", advice: "/metrics is public; set server.metrics_listen of the gateway")
            )
        }
        for address in api[ServerSettings.table].listen where !address.endpoint.isOnThisMachine && !address.isSecure {
            findings.append(
                Finding(
                    name: "api",
                    advice: "\(address) of the API speaks plain HTTP beyond this machine; use https://"
                )
            )
        }
        return findings
    }

    // MARK: Secrets

    private var passwords: [Finding] {
        var findings: [Finding] = []
        let database = try? PostgresConfiguration(worker, name: "doctor")
        if database?.password.map(Self.knownPasswords.contains) ?? false {
            findings.append(Finding(name: "database.password", advice: "it stands in every manual; choose another"))
        }
        let redis = RedisConfiguration(worker, name: "doctor")
        if !redis.endpoint.isOnThisMachine, redis.password == nil {
            findings.append(Finding(name: "redis.password", advice: "Redis at \(redis.endpoint) asks for none"))
        } else if redis.password.map(Self.knownPasswords.contains) ?? false {
            findings.append(Finding(name: "redis.password", advice: "it stands in every manual; choose another"))
        }
        return findings
    }

    // MARK: The world

    private var outside: [Finding] {
        guard worker[ExchangeSettings.table].baseURL == .simulator else { return [] }
        return [Finding(name: "exchange.base_url", advice: "orders go to the simulator; name the exchange")]
    }

    // MARK: What is kept

    private var stores: [Finding] {
        var findings = servers.silent.map { Finding(name: "unreachable", advice: $0) }
        if let policy = servers.evictionPolicy, policy != "noeviction" {
            findings.append(
                Finding(name: "redis", advice: "maxmemory-policy is \(policy): tasks can vanish; set it to noeviction")
            )
        }
        if !servers.isAppendOnly {
            findings.append(
                Finding(name: "redis", advice: "appendonly is off: a restart loses what waits; switch it on")
            )
        }
        if !servers.isFlushed {
            findings.append(
                Finding(
                    name: "postgresql",
                    advice: "fsync or synchronous_commit is off: a 201 is no guarantee; switch it on"
                )
            )
        }
        if servers.clockDifference > Self.clockDifferenceMax {
            findings.append(
                Finding(
                    name: "clock",
                    advice: "clocks differ by \(servers.clockDifference.wholeSeconds) s; let NTP set them"
                )
            )
        }
        let wanted = gateway[ServerSettings.table].connectionLimit
        if descriptorLimit < wanted + 64 {
            findings.append(
                Finding(
                    name: "descriptors",
                    advice: "\(descriptorLimit) are fewer than server.max_connections (\(wanted)); raise the hard limit"
                )
            )
        }
        return findings
    }
}

extension Duration {
    fileprivate var wholeSeconds: Int64 { components.seconds }
}

extension Endpoint {
    /// Whether nobody else can reach it.
    var isOnThisMachine: Bool {
        switch self {
        case .unix: true
        case .tcp(let host, _): host == "localhost" || host == "::1" || host.hasPrefix("127.")
        }
    }
}
