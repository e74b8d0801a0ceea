import Reactor
import Supervision
import TestSupport
import Testing

@testable import Postgres

/// `sslmode` and its kin, against servers with and without TLS.
@Suite struct TLSTests {
    init() { loop }

    private static let isEncrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"

    @Test(arguments: ["require", "verify-ca", "verify-full"]) @ReactorActor
    func `a server without TLS gets no session where TLS is demanded`(mode: String) async throws {
        let url = try await TestServers.postgres().address.url
        let configuration = try PostgresConfiguration(connectionString: "\(url)?sslmode=\(mode)&sslrootcert=/dev/null")
        await #expect(throws: PostgresConnectError.self) { try await PostgresSession.open(configuration) }
    }

    @Test @ReactorActor func `channel_binding=require is not given up for a server that cannot`() async throws {
        let url = try await TestServers.postgres().address.url
        let configuration = try PostgresConfiguration(connectionString: "\(url)?channel_binding=require")
        let error = await #expect(throws: PostgresConnectError.self) { try await PostgresSession.open(configuration) }
        #expect(error?.debugDescription.contains("channel binding") == true)
    }

    @Test @ReactorActor func `the server must be what target_session_attrs says`() async throws {
        let url = try await TestServers.postgres().address.url
        let standby = try PostgresConfiguration(connectionString: "\(url)?target_session_attrs=standby")
        await #expect(throws: PostgresConnectError.self) { try await PostgresSession.open(standby) }
        let writable = try PostgresConfiguration(connectionString: "\(url)?target_session_attrs=read-write")
        try await PostgresSession.open(writable).close()
    }

    @Test @ReactorActor func `certificates are checked as far as sslmode says`() async throws {
        let server = try await TestServers.startPostgres()
        let authority = try await enableTLS(on: server, name: "127.0.0.1")
        let other = try await certificate(name: "other")
        func session(_ options: String) async throws(PostgresConnectError) -> PostgresSession {
            guard let configuration = try? PostgresConfiguration(connectionString: "\(server.address.url)?\(options)")
            else { throw .timedOut }
            return try await PostgresSession.open(configuration)
        }
        for (options, isTLS) in [
            ("sslmode=disable", "f"), ("sslmode=prefer", "t"), ("sslmode=require", "t"),
            ("sslmode=verify-ca&sslrootcert=\(authority.certificate)", "t"),
            ("sslmode=verify-full&sslrootcert=\(authority.certificate)&channel_binding=require", "t"),
        ] {
            let open = try await session(options)
            #expect(try await open.execute(Self.isEncrypted, deadline: soon).text(0, 0) == isTLS, "\(options)")
            open.close()
        }
        for mode in ["require", "verify-ca", "verify-full"] {
            await #expect(throws: PostgresConnectError.self, "\(mode)") {
                try await session("sslmode=\(mode)&sslrootcert=\(other.certificate)")
            }
        }

        // More than a TLS record, so that some of an answer waits inside libpq and not in the socket.
        let pool = PostgresPool(
            try PostgresConfiguration(connectionString: "\(server.address.url)?sslmode=require"),
            logger: quiet
        )
        let long = PostgresStatement(reading: "select repeat('x', 300000 + $1::int)")
        for number in 0..<20 {
            let result = try await pool.query(long, [.int64(Int64(number))], deadline: soon)
            #expect(result.text(0, 0)?.utf8.count == 300_000 + number)
        }
        pool.close()
        await server.stop()
    }

    /// Makes a key and a certificate that it signs itself.
    @ReactorActor
    private func certificate(name: String) async throws -> (key: String, certificate: String) {
        guard let program = Executable.find("openssl") else {
            throw SupervisionError.programNotFound(name: "openssl", package: "openssl")
        }
        let folder = try TestFolder.make()
        let (key, certificate) = ("\(folder)/key.pem", "\(folder)/certificate.pem")
        let alternative = name == "other" ? "DNS:other" : "IP:\(name)"
        let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=\(name)"
        try await ChildProcess.run(
            Command(
                program,
                words.split(separator: " ").map(String.init)
                    + ["-addext", "subjectAltName=\(alternative)", "-keyout", key, "-out", certificate]
            ),
            name: "openssl"
        )
        return (key, certificate)
    }

    /// Lets a server speak TLS. It writes the files itself, so that they belong to the account that it runs as.
    @ReactorActor
    private func enableTLS(on server: TestPostgres, name: String) async throws -> (key: String, certificate: String) {
        let made = try await certificate(name: name)
        for (source, target) in [(made.key, "server.key"), (made.certificate, "server.crt")] {
            let text = try #require(Files.text(source))
            try await server.run(
                """
                copy (select unnest(string_to_array($pem$\(text)$pem$, chr(10))))
                to program 'umask 077; cat > \(target)'
                """,
                isSuperuser: true
            )
        }
        try await server.run("alter system set ssl = on", isSuperuser: true)
        await server.stop()
        try await server.start()
        return made
    }
}
