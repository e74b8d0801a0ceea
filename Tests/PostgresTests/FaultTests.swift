import Glibc
import Logging
import Reactor
import Supervision
import TestSupport
import Testing

@testable import Postgres

private let one = PostgresStatement(reading: "select 1")
private let sleep = PostgresStatement("select pg_sleep($1::float8)")

/// What happens when the server goes away. Each test has a server of its own, reached over TCP.
@Suite struct FaultTests {
    init() { loop }

    @ReactorActor
    private func serverAndPool(
        connections: Int = 4,
        _ change: (inout PostgresConfiguration) -> Void = { _ in }
    ) async throws -> (TestPostgres, PostgresPool) {
        let server = try await TestServers.startPostgres()
        var configuration = try forTests(server.address, overTCP: true)
        configuration.connections = connections
        change(&configuration)
        let pool = PostgresPool(configuration, logger: quiet)
        try await eventually("all connections") { pool.statistics.connections == connections }
        return (server, pool)
    }

    /// How many sockets of this process are connected to `port`.
    private func sockets(connectedTo port: UInt16) -> Int {
        (0..<CInt(1024)).count { descriptor in
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let failure = unsafe withUnsafeMutablePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe getpeername(descriptor, $0, &length)
                }
            }
            return failure == 0 && address.sin_family == AF_INET && UInt16(bigEndian: address.sin_port) == port
        }
    }

    @Test(arguments: [false, true]) @ReactorActor
    func `a server that goes and comes back is used again, and no socket is left behind`(isKilled: Bool) async throws {
        let (server, pool) = try await serverAndPool()
        for _ in 0..<3 {
            let slow = Promise<PostgresResult, PostgresError>()
            pool.query(sleep, ["60"], deadline: soon) { slow.settle($0) }
            await Reactor.yield()
            if isKilled { await server.kill() } else { await server.stop() }
            await #expect(throws: PostgresError.connectionLost) { try await slow.value }

            try await eventually("the news") { !pool.isReady }
            // The first attempt may still be under way; after it, failing takes no time.
            _ = try? await pool.query(one, deadline: soon)
            var outcome: PostgresError?
            pool.query(one, deadline: soon) { if case .failure(let error) = $0 { outcome = error } }
            #expect(outcome == .unavailable)

            try await server.start()
            try await eventually("all connections") { pool.statistics.connections == 4 }
            #expect(try await pool.query(one, deadline: soon).int64(0, 0) == 1)
            #expect(sockets(connectedTo: server.address.port) == 4)
        }
        pool.close()
        try await eventually("closed sockets") { sockets(connectedTo: server.address.port) == 0 }
        await server.stop()
    }

    /// SIGTERM is a "smart" shutdown: the server ends with its last session, and newcomers are turned away.
    @Test @ReactorActor func `a server that waits for its sessions to end gets rid of them when they are idle`()
        async throws
    {
        let (server, pool) = try await serverAndPool(connections: 2) {
            $0.shutdownProbeInterval = .milliseconds(50)
        }
        let first = try #require(server.pid)
        let slow = Promise<PostgresResult, PostgresError>()
        pool.query(sleep, ["0.5"], deadline: soon) { slow.settle($0) }
        try await eventually("a busy connection") { pool.statistics.inFlight == 1 }
        await Reactor.yield()
        #expect(kill(first, SIGTERM) == 0)
        _ = try await slow.value
        // Whoever watches over the server starts another one.
        try await eventually("another server", within: .seconds(60)) { server.pid.map { $0 != first } ?? false }
        try await eventually("all connections") { pool.statistics.connections == 2 }
        #expect(try await pool.query(one, deadline: soon).int64(0, 0) == 1)
        pool.close()
        await server.stop()
    }

    @Test @ReactorActor
    func `a process that has several pools looks once for all of them whether the server shuts down`()
        async throws
    {
        let configuration = try await database()
        let pools = (0..<5).map { _ in PostgresPool(configuration, logger: quiet) }
        #expect(Newcomer.memberCount(configuration) == 5)
        for pool in pools[1...] { pool.close() }
        #expect(Newcomer.memberCount(configuration) == 1)
        pools[0].close()
        #expect(Newcomer.memberCount(configuration) == 0)
    }

    @Test @ReactorActor func `a connection whose server process is silent is given up`() async throws {
        let (server, pool) = try await serverAndPool(connections: 1) { $0.statementTimeout = .milliseconds(100) }
        let process = try await pool.query(PostgresStatement(reading: "select pg_backend_pid()"), deadline: soon)
        let stopped = pid_t(try #require(process.int64(0, 0)))
        #expect(kill(stopped, SIGSTOP) == 0)
        await #expect(throws: PostgresError.timedOut(wasSent: true)) {
            try await pool.query(one, deadline: Reactor.now + .milliseconds(20))
        }
        #expect(pool.statistics.inFlight == 1)
        // After the statement timeout and its margin.
        try await eventually("giving up") { pool.statistics.reconnects == 1 }
        #expect(try await pool.query(one, deadline: soon).int64(0, 0) == 1)
        pool.close()
        kill(stopped, SIGCONT)
        await server.stop()
    }

    @Test @ReactorActor func `a server that accepts and says nothing is not waited for beyond the connect timeout`()
        async throws
    {
        let server = try await TestServers.startPostgres()
        server.freeze()
        var configuration = try forTests(server.address, overTCP: true)
        configuration.connectTimeout = .milliseconds(50)
        await #expect(throws: PostgresConnectError.timedOut) { try await PostgresSession.open(configuration) }
        let pool = PostgresPool(configuration, logger: quiet)
        await #expect(throws: PostgresError.unavailable) { try await pool.query(one, deadline: soon) }
        server.thaw()
        try await eventually("a connection") { pool.isReady }
        pool.close()
        await server.stop()
    }

    @Test @ReactorActor func `a server that refuses the password is asked at growing intervals, an absent one is not`()
        async throws
    {
        var configuration = try forTests(try await TestServers.postgres().address, overTCP: true)
        configuration.reconnectDelayFirst = .milliseconds(2)
        configuration.reconnectDelayCap = .milliseconds(2)
        configuration.password = "wrong"
        let refused = configuration.link()
        configuration.port = 1
        let absent = configuration.link()
        let log = TestLog()
        let pool = PostgresPool(configuration, logger: log.logger)
        var fault: PostgresConnectError?
        refused.onFailure = { fault = $0 }
        refused.open()
        absent.open()
        try await eventually("many tries") { absent.generation > 1000 && fault != nil }
        #expect(fault?.isLasting == true)
        #expect(refused.generation < 40)
        #expect(log.messages(from: .notice) == ["postgres_unavailable"], "said once, and not for every try")
        _ = refused.close()
        _ = absent.close()
        pool.close()
    }

    @Test @ReactorActor func `a name is resolved, a password is asked for, and a wrong one is told`() async throws {
        let address = try await TestServers.postgres().address
        var configuration = try forTests(address, overTCP: true)
        configuration.host = "localhost"
        let session = try await PostgresSession.open(configuration)
        #expect(try await session.execute("select current_user", deadline: soon).text(0, 0) == address.user)
        session.close()

        configuration.password = "wrong' or \\"
        let error = await #expect(throws: PostgresConnectError.self) { try await PostgresSession.open(configuration) }
        #expect(error?.debugDescription.contains("password authentication failed") == true)

        configuration.host = "no-such-host.invalid"
        await #expect(throws: PostgresConnectError.self) { try await PostgresSession.open(configuration) }
    }
}
