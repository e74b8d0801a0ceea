public import Basics
import Glibc
internal import Reactor

/// A PostgreSQL server of our own: its cluster in a folder of ours, reachable from this machine only.
///
/// Connections over TCP need the password. Over the Unix-domain socket they do not: its folder is closed to everyone
/// but the owner, as the cluster itself is, and that check is cheaper than the 4096 rounds of SCRAM.
///
/// PostgreSQL refuses to run as root, so a root starts it as the account `postgres`.
public struct PrivatePostgres: Sendable {
    /// What may differ from one private server to another.
    public struct Settings: Sendable {
        /// The role that owns the database; not a superuser.
        var user = "tickloop"
        /// The database that is made with the cluster.
        var database = "tickloop"
        /// For connections over TCP, by any role. Letters and digits only, so that it needs no quoting anywhere.
        var password: String
        /// Keeps committed data through a crash of the machine. Tests do without.
        public var isDurable = true
        var maxConnections = 100

        /// Settings with the given password.
        public init(password: String) {
            precondition(password.utf8.allSatisfy { Character(UnicodeScalar($0)).isLetter || (48...57).contains($0) })
            self.password = password
        }
    }

    /// How to reach the server.
    public let address: PostgresAddress
    /// The folder of the cluster: `PGDATA`.
    public let cluster: String
    /// What to run once ``prepare(onLine:onStart:)`` has returned.
    public let service: SupervisedService.Description

    private let installation: PostgresInstallation
    private let settings: Settings
    private let account: Account?
    private let socketFolder: String

    /// The superuser of the cluster.
    public static let superuser = "postgres"

    /// Chooses where things are; touches nothing yet.
    ///
    /// - Parameters:
    ///   - folder: Absolute. Gets the cluster, unless the account that must run it cannot reach it; see ``cluster``.
    ///   - port: Where to listen on 127.0.0.1.
    ///   - environment: The whole environment of the server.
    /// - Throws: ``SupervisionError/programNotFound(name:package:)``.
    public init(
        folder: String,
        port: UInt16,
        settings: Settings,
        environment: [String: String] = ProcessEnvironment.variables
    ) throws(SupervisionError) {
        let account = Account.isRoot ? Account.named(Self.superuser) : nil
        if Account.isRoot, account == nil {
            throw .programNotFound(name: "the account \(Self.superuser)", package: "postgresql-common")
        }
        let place = PostgresPlace(
            folder: folder,
            port: port,
            canReach: { account?.canPass(Files.ancestors(of: $0)) ?? true }
        )
        cluster = place.cluster
        socketFolder = place.socketFolder
        address = PostgresAddress(
            port: port,
            socketFolder: place.isSocketPathShort ? place.socketFolder : nil,
            user: settings.user,
            password: settings.password,
            database: settings.database
        )
        installation = try PostgresInstallation.find(for: cluster)
        self.settings = settings
        self.account = account

        var command = Command(
            installation.path(of: "postgres"),
            Self.arguments(cluster: cluster, address: address, settings: settings),
            environment: Self.environment(environment),
            workingDirectory: "/",
            parentDeathSignal: settings.isDurable ? .interrupt : .quit
        )
        command.account = account?.name
        var service = SupervisedService.Description(
            name: "postgres",
            command: command,
            probe: .postgres(address.endpoint, user: settings.user)
        )
        service.stopSteps = StopStep.postgres
        // A killed server's recovery reads the log again: minutes, if there is much.
        service.startLimit = .seconds(600)
        service.beforeStart = { [cluster, socketFolder] in
            Self.removeStalePidFile(in: cluster, sockets: socketFolder)
        }
        self.service = service
    }

    /// Whether the cluster is there.
    public var isPrepared: Bool { Files.isRegularFile("\(cluster)/PG_VERSION") }

    /// Makes the cluster, with role and database, if it is not there yet.
    ///
    /// It grows under another name and gets its own only when it is complete, so that being killed half way leaves
    /// nothing behind that looks like a cluster.
    ///
    /// - Parameter onStart: Called with each program started, for who wants to stop early.
    public func prepare(
        onStart: @escaping @ReactorActor (ChildProcess) -> Void = { _ in }
    ) async throws(SupervisionError) {
        try makeFolder(socketFolder)
        if isPrepared { return }
        let growing = "\(cluster).new"
        let script = "\(cluster).sql"
        let passwordFile = "\(cluster).password"
        defer { for path in [growing, script, passwordFile] { Files.remove(path) } }
        Files.remove(growing)
        try makeFolder(growing)
        try writeFile(settings.password + "\n", to: passwordFile)
        try writeFile(Self.script(settings), to: script)

        var initdb = command("initdb", Self.initdbArguments(cluster: growing, passwordFile: passwordFile, settings))
        try await ChildProcess.run(initdb, name: "initdb", onStart: onStart)
        initdb = command("postgres", ["--single", "-F", "-D", growing, "postgres"])
        initdb.standardInput = script
        let output = try await ChildProcess.run(initdb, name: "postgres --single", onStart: onStart)
        // A statement that fails does not fail the program.
        if let failure = output.first(where: { $0.contains("ERROR:") || $0.contains("FATAL:") }) {
            throw .ended(name: "postgres --single", .exited(0), lastLine: failure)
        }
        try Files.rename(growing, to: cluster)
    }

    /// Runs one statement with `psql`, and returns its rows, columns separated by `|`.
    ///
    /// - Throws: ``SupervisionError/ended(name:_:lastLine:)`` with PostgreSQL's message when it fails.
    @ReactorActor
    @discardableResult
    public func run(_ statement: String, on address: PostgresAddress? = nil) async throws(SupervisionError) -> [String]
    {
        let target = (address ?? self.address).url
        let arguments = ["--no-psqlrc", "-qAt", "-v", "VERBOSITY=terse", "-d", target, "-c", statement]
        var psql = Command(installation.path(of: "psql"), arguments, environment: service.command.environment)
        psql.parentDeathSignal = .kill
        return try await ChildProcess.run(psql, name: "psql")
    }

    private func command(_ program: String, _ arguments: [String]) -> Command {
        var command = Command(
            installation.path(of: program),
            arguments,
            environment: service.command.environment,
            workingDirectory: "/",
            parentDeathSignal: .kill
        )
        command.account = account?.name
        return command
    }

    private func makeFolder(_ path: String) throws(SupervisionError) {
        try Files.createFolder(path, mode: 0o700)
        if let account { try Files.changeOwner(of: path, to: account) }
    }

    private func writeFile(_ text: String, to path: String) throws(SupervisionError) {
        try Files.write(text, to: path, mode: 0o600)
        if let account { try Files.changeOwner(of: path, to: account) }
    }
}

/// How to reach a private PostgreSQL.
public struct PostgresAddress: Sendable, Equatable {
    /// Loopback: nobody else can connect.
    public let host = "127.0.0.1"
    /// The TCP port, kept over restarts.
    public let port: UInt16
    /// The folder of the Unix-domain socket, which libpq takes in place of a host; `nil` where its path would be too
    /// long.
    let socketFolder: String?
    /// The role to connect as.
    public var user: String
    /// For TCP; the socket asks for none.
    public let password: String
    /// The database to use; at first the one that is there from the start.
    public var database: String

    /// A connection URI over TCP, which every client library understands.
    public var url: String { "postgresql://\(user):\(password)@\(host):\(port)/\(database)" }

    /// A connection URI over the Unix-domain socket, in libpq's form, or over TCP where there is none.
    public var localURL: String {
        guard let socketFolder else { return url }
        return "postgresql://\(user)@/\(database)?host=\(percentEncoded(socketFolder))&port=\(port)"
    }

    var endpoint: Endpoint { .tcp(host: host, port: port) }

    private func percentEncoded(_ path: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return path.utf8.reduce(into: "") { text, byte in
            let character = Character(UnicodeScalar(byte))
            if character.isASCII, character.isLetter || character.isNumber || "/-._~".contains(character) {
                text.append(character)
            } else {
                text += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }
}
