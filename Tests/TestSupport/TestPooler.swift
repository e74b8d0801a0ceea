import Glibc
import Reactor
public import Supervision

/// A PgBouncer in transaction mode with its default settings, in front of a test's PostgreSQL.
public final class TestPooler: TestServer {
    /// Where it listens.
    public let port: UInt16

    /// Starts one, and returns when it takes connections. It asks no client for a password.
    ///
    /// - Parameter poolSize: How many of the server's sessions all clients together have.
    public static func start(before server: PostgresAddress, poolSize: Int) async throws -> TestPooler {
        guard let program = Executable.find("pgbouncer", alsoIn: ["/usr/sbin"]) else {
            throw SupervisionError.programNotFound(name: "PgBouncer", package: "pgbouncer")
        }
        let folder = try TestFolder.make()
        let port = try FreePort.choose(except: [server.port])
        let login = "user=\(server.user) password=\(server.password)"
        try Files.write(
            """
            [databases]
            * = host=\(server.host) port=\(server.port) \(login)
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = \(poolSize)

            """,
            to: "\(folder)/pgbouncer.ini"
        )
        var command = Command(program, ["-q", "\(folder)/pgbouncer.ini"], parentDeathSignal: .kill)
        // It refuses to run as root.
        command.account = geteuid() == 0 ? PrivatePostgres.superuser : nil
        let endpoint = Endpoint.tcp(host: "127.0.0.1", port: port)
        let pooler = TestPooler(
            SupervisedService.Description(
                name: "pgbouncer",
                command: command,
                probe: .postgres(endpoint, user: server.user)
            ),
            port: port
        )
        try await pooler.start()
        return pooler
    }

    private init(_ description: SupervisedService.Description, port: UInt16) {
        self.port = port
        super.init(description)
    }
}
