import Testing

@testable import Postgres

@Suite struct ConfigurationTests {
    @Test(arguments: [
        ("postgresql://me:s%20cret@db.example:6000/prices", "db.example", 6000, "me", "s cret", "prices"),
        ("host=/run/postgresql user=me", "/run/postgresql", 5432, "me", nil, "me"),
        ("postgresql://me@%2Ftmp%2Fx:6001/prices?sslmode=disable", "/tmp/x", 6001, "me", nil, "prices"),
    ])
    func `a connection string is understood`(
        text: String,
        host: String,
        port: UInt16,
        user: String,
        password: String?,
        database: String
    ) throws {
        let configuration = try PostgresConfiguration(connectionString: text)
        #expect(configuration.host == host)
        #expect(configuration.port == port)
        #expect(configuration.user == user)
        #expect(configuration.password == password)
        #expect(configuration.database == database)
    }

    @Test(arguments: [
        ("postgresql://[::1/x", PostgresConnectionStringError.malformed),
        ("host=a", .incomplete(keyword: "user")),
        ("user=a", .incomplete(keyword: "host")),
        ("host=a user=b port=70000", .invalid(keyword: "port", allowed: "a number from 1 to 65535")),
        ("host=a,b user=c", .invalid(keyword: "host", allowed: "that of one server")),
        (
            "host=a user=b connect_timeout=0",
            .invalid(keyword: "connect_timeout", allowed: "a number of seconds from 1 to 65535")
        ),
        (
            "host=a user=b channel_binding=always",
            .invalid(keyword: "channel_binding", allowed: "disable, prefer, require")
        ),
        ("host=a user=b gssencmode=require", .invalid(keyword: "gssencmode", allowed: "disable")),
        ("host=a user=b krbsrvname=x", .unsupported(keyword: "krbsrvname")),
        ("host=a user=b replication=true", .unsupported(keyword: "replication")),
        ("host=a user=b service=x", .unsupported(keyword: "service")),
        ("postgresql://b@a/?no_such=1", .unsupported(keyword: "no_such")),
        ("host=a user=b ssl_mode=require", .unsupported(keyword: "ssl_mode")),
    ])
    func `a connection string that lacks something is refused`(text: String, expected: PostgresConnectionStringError) {
        #expect(throws: expected) { try PostgresConfiguration(connectionString: text) }
    }

    @Test func `libpq gets numeric addresses only, and never a password file`() {
        let configuration = PostgresConfiguration(host: "db.example", user: "me", database: "prices")
        let keywords = configuration.keywords(addresses: ["10.0.0.1", "fd00::1"])
        #expect(keywords["hostaddr"] == "10.0.0.1,fd00::1")
        #expect(keywords["host"] == "db.example,db.example")
        #expect(keywords["passfile"] == "/dev/null/none")
        #expect(keywords["password"] == nil)
        #expect(keywords["options"] == nil)
        #expect(configuration.sessionScript(serverProcess: 7).contains("'statement_timeout', '5000'"))
    }

    @Test(arguments: ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
    func `libpq gets the sslmode as it was asked for`(mode: String) throws {
        let configuration = try PostgresConfiguration(connectionString: "postgresql://b@a/?sslmode=\(mode)")
        #expect(configuration.keywords(addresses: ["10.0.0.1"])["sslmode"] == mode)
    }

    @Test(arguments: ["bogus", "verify_ca", "VERIFY-FULL", ""])
    func `an sslmode that does not exist is refused and not weakened`(mode: String) {
        #expect(
            throws: PostgresConnectionStringError.invalid(
                keyword: "sslmode",
                allowed: "disable, allow, prefer, require, verify-ca, verify-full"
            )
        ) { try PostgresConfiguration(connectionString: "host=a user=b sslmode='\(mode)'") }
    }

    @Test func `every keyword of this libpq is done or refused by name`() throws {
        let done = ["sslrootcert", "sslcert", "sslkey", "sslcrl", "requirepeer", "tcp_user_timeout", "keepalives_idle"]
        for keyword in done {
            let configuration = try PostgresConfiguration(connectionString: "host=a user=b \(keyword)=17")
            #expect(configuration.keywords(addresses: ["10.0.0.1"])[keyword] == "17")
        }
        let configuration = try PostgresConfiguration(
            connectionString:
                "host=a hostaddr=10.0.0.2 user=b application_name=me connect_timeout=7 "
                + "options='-c work_mem=1MB'"
        )
        #expect(configuration.address == "10.0.0.2")
        #expect(configuration.connectTimeout == .seconds(7))
        let keywords = configuration.keywords(addresses: ["10.0.0.2"])
        #expect(keywords["application_name"] == "me")
        #expect(keywords["options"] == "-c work_mem=1MB")
    }

    @Test func `options that quarrel with settings of ours are refused`() {
        #expect(throws: PostgresConnectionStringError.self) {
            try PostgresConfiguration(connectionString: "host=a user=b options='-c statement_timeout=1'")
        }
    }

    @Test func `libpq's words for a refusal are told apart from its code`() {
        let text = """
            connection to "127.0.0.1", port 5432 failed: FATAL:  28P01: password authentication failed for user "me"
            LOCATION:  auth_failed, auth.c:334

            """
        let error = PostgresConnectError(libpq: text)
        #expect(error.sqlState == .invalidPassword)
        #expect(error.isLasting)
        #expect(
            error.debugDescription == """
                connection to "127.0.0.1", port 5432 failed: FATAL: password authentication failed for user "me"
                """
        )
        let nobody = PostgresConnectError(
            libpq: "connection to server at \"::1\" failed: Connection refused\n\tIs the server running there?\n"
        )
        #expect(nobody.sqlState == nil)
        #expect(nobody.debugDescription == "connection to server at \"::1\" failed: Connection refused")
        #expect(!PostgresConnectError(libpq: "FATAL:  57P03: the database system is shutting down").isLasting)
    }
}

@Suite struct ParameterTests {
    @Test(arguments: [
        ([], "{}"),
        (["2025-01-06", "2025-01-07"], #"{"2025-01-06","2025-01-07"}"#),
        ([#"a"b\c"#, "", "NULL"], #"{"a\"b\\c","","NULL"}"#),
    ])
    func `an array is quoted element by element`(elements: [String], text: String) {
        #expect(PostgresParameter.array(elements) == .utf8(Array(text.utf8)))
    }

    @Test func `a text with NUL is not encodable, a bytea is`() {
        #expect(!PostgresParameter.text("a\0b").isEncodable)
        #expect(!PostgresParameter.utf8([0]).isEncodable)
        #expect(PostgresParameter.bytea([0]).isEncodable)
    }
}
