public import Basics
import Glibc
public import Reactor

/// A Redis server of our own: its files in a folder of ours, reachable from this machine only.
///
/// There is no password: whoever can log in to this machine can reach it. It holds nothing but the development data of
/// its owner, and Redis 7 lets no client change where or what it writes (`enable-protected-configs no`).
public struct PrivateRedis: Sendable {
    /// What may differ from one private server to another.
    public struct Settings: Sendable {
        /// Keeps tasks through a crash, but for the last second of them. Tests do without.
        public var isDurable = true

        /// The settings of a server that keeps its data.
        public init() {}
    }

    /// How to reach the server.
    public let address: RedisAddress
    /// What to run once ``prepare()`` has returned.
    public let service: SupervisedService.Description

    private let folder: String
    private let configuration: String

    /// Chooses where things are; touches nothing yet.
    ///
    /// - Parameters:
    ///   - folder: Absolute. Gets a folder `redis` for the server's files.
    ///   - port: Where to listen on 127.0.0.1.
    ///   - environment: The whole environment of the server.
    /// - Throws: ``SupervisionError/programNotFound(name:package:)``.
    public init(
        folder: String,
        port: UInt16,
        settings: Settings = Settings(),
        environment: [String: String] = ProcessEnvironment.variables
    ) throws(SupervisionError) {
        guard let program = Executable.find("redis-server", alsoIn: ["/usr/sbin", "/usr/local/bin"]) else {
            throw .programNotFound(name: "Redis (redis-server)", package: "redis-server")
        }
        self.folder = "\(folder)/redis"
        let socket = "\(self.folder)/redis.sock"
        let isShort = socket.utf8.count <= Endpoint.longestUnixPathBytes
        address = RedisAddress(port: port, socketPath: isShort ? socket : nil)
        configuration = Self.configuration(folder: self.folder, address: address, settings: settings)
        let command = Command(
            program,
            ["\(self.folder)/redis.conf"],
            environment: environment,
            workingDirectory: "/"
        )
        var service = SupervisedService.Description(name: "redis", command: command, probe: .redis(address.endpoint))
        // A killed server reads its append-only file again.
        service.startLimit = .seconds(600)
        self.service = service
    }

    /// Makes the folder and writes the configuration.
    public func prepare() throws(SupervisionError) {
        try Files.createFolder(folder, mode: 0o700)
        try Files.write(configuration, to: "\(folder)/redis.conf", mode: 0o600)
    }

    static func configuration(folder: String, address: RedisAddress, settings: Settings) -> String {
        var lines = [
            "bind \(address.host)",
            "port \(address.port)",
            "dir \"\(quoted(folder))\"",
            "daemonize no",
            "databases 256",
            // A queue that loses tasks when memory is short is none: refuse to take more instead.
            "maxmemory-policy noeviction",
            // The append-only file is the memory; no snapshots beside it.
            "save \"\"",
            "appendonly \(settings.isDurable ? "yes" : "no")",
            "appendfsync everysec",
            // A kill in the middle of a write leaves half a command at the end, which was never acknowledged as
            // durable.
            "aof-load-truncated yes",
            "always-show-logo no",
            "set-proc-title no",
            "loglevel warning",
        ]
        if let socketPath = address.socketPath {
            lines += ["unixsocket \"\(quoted(socketPath))\"", "unixsocketperm 700"]
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func quoted(_ path: String) -> String {
        path.reduce(into: "") { text, character in
            if character == "\"" || character == "\\" { text.append("\\") }
            text.append(character)
        }
    }
}

/// How to reach a private Redis.
public struct RedisAddress: Sendable, Equatable {
    /// Loopback: nobody else can connect.
    let host = "127.0.0.1"
    /// The TCP port, kept over restarts.
    public let port: UInt16
    /// The Unix-domain socket; `nil` where its path would be too long.
    let socketPath: String?
    /// The numbered database to use; at first 0.
    public var database = 0

    /// A URI over TCP, as `redis-cli -u` and every client library take it.
    public var url: String { "redis://\(host):\(port)/\(database)" }

    /// A URI over the Unix-domain socket, or over TCP where there is none or its path would need escapes.
    public var localURL: String {
        guard let socketPath, !socketPath.contains(where: { "?%#@".contains($0) }) else { return url }
        return "unix://\(socketPath)?db=\(database)"
    }

    /// Where it listens.
    public var endpoint: Endpoint { .tcp(host: host, port: port) }
}
