import Glibc
public import Reactor
public import Supervision
import Synchronization

/// PostgreSQL and Redis for tests: real servers, started when the first test asks, gone when the test process is.
///
/// The shared servers serve every suite; each suite takes a database of its own from them. A test that stops or kills a
/// server starts one of its own with ``startPostgres()`` or ``startRedis()``.
@ReactorActor
public enum TestServers {
    /// The shared PostgreSQL.
    public static func postgres() async throws -> TestPostgres { try await sharedPostgres.value() }

    /// The shared Redis.
    public static func redis() async throws -> TestRedis { try await sharedRedis.value() }

    /// A new database on the shared PostgreSQL, owned by the role that the address names.
    ///
    /// - Parameter template: Of which database it is a copy; of nothing if nil.
    public static func createDatabase(copying template: String? = nil) async throws -> PostgresAddress {
        try await postgres().createDatabase(copying: template)
    }

    /// A numbered database of the shared Redis that no other caller has. There are 255; each is given out once.
    public static func redisDatabase() async throws -> RedisAddress {
        var address = try await redis().address
        lastRedisDatabase += 1
        address.database = lastRedisDatabase
        return address
    }

    /// A PostgreSQL for the caller alone.
    public static func startPostgres() async throws -> TestPostgres {
        var settings = PrivatePostgres.Settings(password: "secret")
        settings.isDurable = false
        let server = try PrivatePostgres(folder: TestFolder.make(), port: FreePort.choose(), settings: settings)
        try await server.prepare()
        let running = TestPostgres(server)
        try await running.start()
        return running
    }

    /// A Redis for the caller alone. It keeps its data over ``TestServer/kill()`` if it is durable.
    public static func startRedis(isDurable: Bool = false) async throws -> TestRedis {
        var settings = PrivateRedis.Settings()
        settings.isDurable = isDurable
        let server = try PrivateRedis(folder: TestFolder.make(), port: FreePort.choose(), settings: settings)
        try server.prepare()
        let running = TestRedis(server)
        try await running.start()
        return running
    }

    private static let sharedPostgres = Shared { try await startPostgres() }
    private static let sharedRedis = Shared { try await startRedis() }
    private static var lastRedisDatabase = 0
}

/// A server that a test may take away and bring back; it always comes back on the same port.
@ReactorActor
public class TestServer {
    private let description: SupervisedService.Description
    private var service: SupervisedService?

    init(_ description: SupervisedService.Description) { self.description = description }

    /// Its process, while it runs.
    public var pid: CInt? { service?.child?.pid }

    /// Starts it, and returns when it is ready.
    public func start() async throws {
        precondition(service == nil, "the server runs already")
        let service = SupervisedService(description) { event in
            if case .started(let pid) = event { TestFolder.willOutlive(pid) }
        }
        self.service = service
        try await service.start()
    }

    /// Stops it as an administrator would, and returns when it has ended.
    public func stop() async {
        await service?.stop()
        service = nil
    }

    /// `kill -9`; returns when it has ended.
    public func kill() async {
        await service?.kill()
        service = nil
    }

    /// Freezes it with SIGSTOP: connections stay, answers do not come. See ``thaw()``.
    public func freeze() { service?.child?.send(SIGSTOP) }

    /// Lets it go on after ``freeze()``.
    public func thaw() { service?.child?.send(SIGCONT) }
}

/// A PostgreSQL server for tests.
public final class TestPostgres: TestServer {
    private let server: PrivatePostgres
    private var databases = 0

    init(_ server: PrivatePostgres) {
        self.server = server
        super.init(server.service)
    }

    /// How to reach it.
    public var address: PostgresAddress { server.address }

    /// Makes a database.
    ///
    /// - Parameter template: Of which it is a copy; of nothing if nil. Nobody may be connected to that one for long.
    public func createDatabase(copying template: String? = nil) async throws -> PostgresAddress {
        databases += 1
        var address = server.address
        address.database = "test\(databases)"
        let source = template.map { " TEMPLATE \($0)" } ?? ""
        try await run("CREATE DATABASE \(address.database) OWNER \(address.user)\(source)", isSuperuser: true)
        return address
    }

    /// Runs one statement with `psql`, independently of the code under test; rows come back as lines, columns split by
    /// `|`.
    @discardableResult
    public func run(_ statement: String, on database: String? = nil, isSuperuser: Bool = false) async throws -> [String]
    {
        var address = server.address
        if isSuperuser { address.user = PrivatePostgres.superuser }
        if let database { address.database = database } else if isSuperuser { address.database = "postgres" }
        return try await server.run(statement, on: address)
    }
}

/// A Redis server for tests.
public final class TestRedis: TestServer {
    /// How to reach it.
    public let address: RedisAddress

    init(_ server: PrivateRedis) {
        address = server.address
        super.init(server.service)
    }

    /// Runs one command with `redis-cli`, independently of the code under test.
    @discardableResult
    public func run(_ words: String..., database: Int = 0) async throws -> [String] {
        let arguments = ["-p", "\(address.port)", "-n", "\(database)"] + words
        guard let program = Executable.find("redis-cli") else {
            throw SupervisionError.programNotFound(name: "redis-cli", package: "redis-tools")
        }
        return try await ChildProcess.run(Command(program, arguments), name: "redis-cli")
    }
}
