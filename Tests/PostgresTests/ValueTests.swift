import Testing

@testable import Postgres

@Suite struct RingBufferTests {
    @Test func `it keeps the order while it grows and wraps around`() {
        var buffer = RingBuffer<Int>(minimumCapacity: 2)
        var expected: [Int] = []
        for number in 0..<100 {
            buffer.append(number)
            expected.append(number)
            if number % 3 == 0 { #expect(buffer.popFirst() == expected.removeFirst()) }
        }
        #expect((0..<buffer.count).map { buffer[$0] } == expected)
        #expect(buffer.remove { $0.isMultiple(of: 2) } == expected.filter { $0.isMultiple(of: 2) })
        while let number = buffer.popFirst() { #expect(number % 2 == 1) }
        #expect(buffer.isEmpty)
    }
}

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
        ("host=a user=b port=70000", .incomplete(keyword: "port")),
    ])
    func `a connection string that lacks something is refused`(text: String, expected: PostgresConnectionStringError) {
        #expect(throws: expected) { try PostgresConfiguration(connectionString: text) }
    }

    @Test func `libpq gets numeric addresses only, and never a password file`() {
        let configuration = PostgresConfiguration(host: "db.example", user: "me", database: "prices")
        let keywords = Dictionary(uniqueKeysWithValues: configuration.keywords(addresses: ["10.0.0.1", "fd00::1"]))
        #expect(keywords["hostaddr"] == "10.0.0.1,fd00::1")
        #expect(keywords["host"] == "db.example,db.example")
        #expect(keywords["passfile"] == "/dev/null/none")
        #expect(keywords["password"] == nil)
        #expect(keywords["options"]?.contains("statement_timeout=5000") == true)
    }

    @Test(arguments: [
        (Duration.zero, Int64(0)), (.milliseconds(1), 1), (.microseconds(1), 1), (.seconds(2), 2000),
    ])
    func `a short timeout never becomes none`(duration: Duration, milliseconds: Int64) {
        #expect(duration.wholeMilliseconds == milliseconds)
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

    @Test func `an identifier keeps every character`() {
        #expect(#"we"ird"#.quotedIdentifier == #""we""ird""#)
    }
}
