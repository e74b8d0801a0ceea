import Glibc
import Testing

@testable import Supervision

@Suite struct LayoutTests {
    @Test(arguments: [
        ("32768\t60999\n", UInt16(20_000)...32_767), ("16384\t65000\n", 14_384...16_383),
        ("12000\t65000\n", 10_000...11_999), ("1024\t50000\n", 50_001...65_535), ("1024\t65535\n", 20_000...32_767),
        ("", 20_000...32_767), ("nonsense", 20_000...32_767),
    ])
    func `ports are chosen where the kernel takes no source ports from`(text: String, expected: ClosedRange<UInt16>) {
        #expect(FreePort.candidates(ephemeral: text) == expected)
    }

    @Test func `a chosen port is free, and none that was given out before`() throws {
        var taken: Set<UInt16> = []
        for _ in 0..<50 {
            let port = try FreePort.choose(except: taken)
            #expect(FreePort.isFree(port))
            #expect(taken.insert(port).inserted)
        }
    }

    @Test func `a port that cannot be had is told apart from one that is taken`() {
        let error = { SupervisionError.portUnusable(80, errno: $0).description }
        #expect(error(EADDRINUSE) == "port 80 is taken; choose another with --port")
        let denied = "port 80 is not for this account (Permission denied); choose one from 1024 on with --port"
        #expect(error(EACCES) == denied)
        #expect(error(EADDRNOTAVAIL) == "port 80: Cannot assign requested address")
    }

    @Test func `a file is replaced whole, and a folder goes with all that is in it`() throws {
        let folder = "/tmp/tickloop-layout-\(getpid())"
        defer { Files.remove(folder) }
        try Files.createFolder("\(folder)/a/b")
        try Files.write("one", to: "\(folder)/a/b/file")
        try Files.write("two", to: "\(folder)/a/b/file", mode: 0o600)
        #expect(Files.text("\(folder)/a/b/file") == "two")
        #expect(Files.entries(ofFolder: "\(folder)/a/b") == ["file"])
        Files.remove(folder)
        #expect(!Files.isFolder(folder))
        #expect(throws: SupervisionError.fileSystem(path: "\(folder)/x.new", errno: ENOENT)) {
            try Files.write("", to: "\(folder)/x")
        }
    }

    @Test(arguments: [
        ("/a/b", "/a/b"), ("/a//b/", "/a/b"), ("/a/./b/../c", "/a/c"), ("/../..", "/"), ("/", "/"),
    ])
    func `a path is made plain`(path: String, expected: String) {
        #expect(Files.absolute(path) == expected)
    }

    @Test func `a relative path starts where we are`() {
        #expect(Files.absolute("x") == Files.absolute(".") + "/x")
        #expect(Files.absolute("").hasPrefix("/"))
    }

    @Test(arguments: [
        (["9.6", "15", "17", "9.10"], ["17", "15", "9.10", "9.6"]), (["common", "15", "", "15x", ".5"], ["15"]),
        ([], []),
    ])
    func `the newest version comes first`(names: [String], expected: [String]) {
        #expect(PostgresInstallation.newestFirst(names) == expected)
    }

    @Test(arguments: [
        // owner, group, mode, may pass
        (101 as uid_t, 0 as gid_t, 0o700 as mode_t, true), (101, 0, 0o600, false), (0, 104, 0o710, true),
        (0, 104, 0o705, false),
        (0, 0, 0o701, true), (0, 0, 0o770, false), (0, 0, 0o755, true),
    ])
    func `who may pass a folder is decided by the first class that applies`(
        user: uid_t,
        group: gid_t,
        mode: mode_t,
        expected: Bool
    ) {
        let account = Account(name: "postgres", user: 101, group: 104)
        let folder = Files.Permissions(user: user, group: group, mode: mode)
        #expect(account.canPass([folder]) == expected)
        #expect(!account.canPass([folder, Files.Permissions(user: 0, group: 0, mode: 0o700)]))
    }

    @Test func `a cluster that its account cannot reach goes below /var/lib`() {
        let near = PostgresPlace(folder: "/srv/data", port: 20_000) { _ in true }
        #expect(near.cluster == "/srv/data/postgres")
        #expect(near.socketFolder == "/srv/data/postgres-socket")
        #expect(near.isSocketPathShort)

        let far = PostgresPlace(folder: "/root/data", port: 20_000) { !$0.hasPrefix("/root") }
        #expect(far.cluster == "/var/lib/tickloop/\(PostgresPlace.fingerprint(of: "/root/data"))/postgres")
        #expect(PostgresPlace.fingerprint(of: "") == "cbf29ce484222325")
        #expect(PostgresPlace.fingerprint(of: "a") == "af63dc4c8601ec8c")
    }

    @Test(arguments: [(68, true), (69, false)])
    func `a socket whose path is too long for the kernel is not used`(length: Int, isShort: Bool) {
        // "/postgres-socket/.s.PGSQL.20000" is 31 bytes more, of 107 − 8 at most for the folder itself.
        let folder = "/" + String(repeating: "x", count: length + 7)
        #expect(PostgresPlace(folder: folder, port: 20_000) { _ in true }.isSocketPathShort == isShort)
    }

    @Test func `a database is named in the way that libpq takes`() {
        var address = PostgresAddress(
            port: 20_000,
            socketFolder: "/srv/my data/postgres-socket",
            user: "tickloop",
            password: "pw",
            database: "tickloop"
        )
        #expect(address.url == "postgresql://tickloop:pw@127.0.0.1:20000/tickloop")
        #expect(address.localURL == "postgresql://tickloop@/tickloop?host=/srv/my%20data/postgres-socket&port=20000")
        address.database = "other"
        #expect(address.url.hasSuffix("/other"))
    }

    @Test func `redis is configured to keep tasks and to refuse rather than forget`() {
        let address = RedisAddress(port: 20_000, socketPath: "/srv/a \"b\"/redis.sock")
        let text = PrivateRedis.configuration(folder: "/srv/a \"b\"", address: address, settings: .init())
        let lines = text.split(separator: "\n").map(String.init)
        for line in [
            "bind 127.0.0.1", "port 20000", "dir \"/srv/a \\\"b\\\"\"", "appendonly yes", "appendfsync everysec",
            "maxmemory-policy noeviction", "save \"\"", "unixsocket \"/srv/a \\\"b\\\"/redis.sock\"",
        ] {
            #expect(lines.contains(line))
        }
    }
}
