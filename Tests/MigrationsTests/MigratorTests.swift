import Glibc
import Migrations
import Postgres
import Reactor
import Supervision
import TestSupport
import Testing

private let loop: Void = Reactor.runInBackground()

@Suite struct MigratorTests {
    init() { loop }

    @ReactorActor
    private func database() async throws -> (PostgresAddress, PostgresConfiguration) {
        let address = try await TestServers.createDatabase()
        return (address, try PostgresConfiguration(connectionString: address.localURL))
    }

    private func folder(_ scripts: String...) throws(MigrationError) -> MigrationFolder {
        try MigrationFolder(
            zip(1..., scripts).map { Migration(version: $0, name: "step\($0)", sql: Array($1.utf8)) }
        )
    }

    @ReactorActor
    private func run(_ sql: String, _ address: PostgresAddress) async throws -> [String] {
        try await TestServers.postgres().run(sql, on: address.database)
    }

    @Test @ReactorActor func `each migration is applied once`() async throws {
        let (address, configuration) = try await database()
        let first = Migrator(try folder("create table t (a int)"), configuration)
        #expect(try await first.status().entries.map(\.state) == [.pending])
        #expect(try await first.apply() == 1)
        #expect(try await first.apply() == 0)

        let scripts = ["create table t (a int)", "insert into t values (1); insert into t values (2)"]
        let both = Migrator(try folder(scripts[0], scripts[1]), configuration)
        var applied: [String] = []
        #expect(try await both.apply { applied.append($0.description) } == 1)
        #expect(applied == ["0002_step2"])
        #expect(try await run("select count(*) from t", address) == ["2"])
        #expect(
            try await run(
                "select version, name, checksum = encode(sha256('\(scripts[0])'), 'hex') "
                    + "from schema_migrations limit 1",
                address
            )
                == ["1|step1|t"]
        )
    }

    @Test @ReactorActor func `looking at the status changes nothing`() async throws {
        let (address, configuration) = try await database()
        #expect(try await Migrator(try folder("create table t ()"), configuration).status().entries.count == 1)
        #expect(try await run("select count(*) from pg_tables where schemaname = 'public'", address) == ["0"])
    }

    @Test @ReactorActor func `a migration that fails leaves nothing of itself, and those before it`() async throws {
        let (address, configuration) = try await database()
        let migrator = Migrator(
            try folder("create table t (a int)", "insert into t values (1); insert into t values ('x')"),
            configuration
        )
        let error = await #expect(throws: MigrationError.self) { try await migrator.apply() }
        guard case .failed("0002_step2", let refusal) = error else { throw error ?? MigrationError.gap(version: 0) }
        #expect(refusal.sqlState == "22P02")
        #expect(try await run("select count(*), max(version) from t, schema_migrations", address) == ["0|"])
        #expect(try await run("select version from schema_migrations", address) == ["1"])
    }

    @Test @ReactorActor func `a migration that commits by itself is found out`() async throws {
        let (_, configuration) = try await database()
        let migrator = Migrator(try folder("create table t (a int); commit"), configuration)
        await #expect(throws: MigrationError.endsItsTransaction(migration: "0001_step1")) { try await migrator.apply() }
    }

    @Test @ReactorActor func `a changed migration is refused, and nothing after it applied`() async throws {
        let (address, configuration) = try await database()
        try await Migrator(try folder("create table t (a int)"), configuration).apply()
        let changed = Migrator(try folder("create table t (a text)", "create table u ()"), configuration)
        let error = await #expect(throws: MigrationError.self) { try await changed.apply() }
        guard case .changed = error else { throw error ?? MigrationError.gap(version: 0) }
        #expect(try await run("select count(*) from pg_tables where tablename = 'u'", address) == ["0"])
    }

    @Test @ReactorActor func `of several that start at once, each migration is applied by one`() async throws {
        let (address, configuration) = try await database()
        let folder = try folder("create table t (a int)", "insert into t values (1)", "insert into t values (2)")
        var counts: [Int] = []
        let all = Promise<Void, any Error>()
        for _ in 0..<4 {
            Reactor.spawn {
                do {
                    counts.append(try await Migrator(folder, configuration).apply())
                    if counts.count == 4 { all.succeed(()) }
                } catch {
                    all.fail(error)
                }
            }
        }
        try await all.value
        #expect(counts.reduce(0, +) == 3)
        #expect(try await run("select count(*) from t", address) == ["2"])
    }

    @Test @ReactorActor func `a folder is read from disk, and what is not text is refused`() async throws {
        let path = try TestFolder.make()
        try write("create table t (a text default 'ä')", to: "\(path)/0001_first.sql")
        try write("not a migration", to: "\(path)/README")
        #expect(try MigrationFolder(path: path).migrations.map(\.description) == ["0001_first"])
        try write("select 1", to: "\(path)/2_second.sql")
        #expect(throws: MigrationError.misnamed(file: "2_second.sql")) { try MigrationFolder(path: path) }
        #expect(throws: MigrationError.unreadable(path: "/nowhere", reason: "No such file or directory")) {
            try MigrationFolder(path: "/nowhere")
        }
        let binary = try TestFolder.make()
        try write("select 1;\0", to: "\(binary)/0001_first.sql")
        #expect(throws: MigrationError.unreadable(path: "\(binary)/0001_first.sql", reason: "it is not UTF-8 text")) {
            try MigrationFolder(path: binary)
        }
    }

    private func write(_ text: String, to path: String) throws {
        try Files.write(text, to: path, mode: 0o600)
    }
}
