import Reactor
import Redis
import Testing

@testable import Configuration
@testable import Service

/// A service with what is tested here.
private let schema = ConfigurationSchema(
    service: "test",
    [ServerSettings.table.section, DatabaseSettings.table.section, RedisSettings.table.section]
)

@Suite struct SettingsTests {
    @Test(arguments: [
        (10_000, 1_048_576, 256, 10_000), (10_000, 1024, 256, 704), (100, 1024, 256, 100), (10_000, 256, 256, 64),
        (10_000, 2, 256, 1),
    ])
    func `clients get the descriptors that nobody else needs`(
        configured: Int,
        limit: Int,
        reserved: Int,
        connections: Int
    ) {
        #expect(Descriptors.clientConnections(configured, limit: limit, reserved: reserved) == connections)
    }

    @Test func `addresses may be Unix-domain sockets`() throws {
        let environment = [
            "TICKLOOP_SERVER_LISTEN": "unix:/run/api.sock,https://[::1]:8000", "TICKLOOP_REDIS_ADDRESS": "unix:/r",
        ]
        let configuration = try Configuration.load(schema, file: nil, environment: environment)
        #expect(
            configuration[ServerSettings.table].listen
                == [
                    ServiceAddress(.unix(path: "/run/api.sock")),
                    ServiceAddress(.tcp(host: "::1", port: 8000), isSecure: true),
                ]
        )
        #expect(RedisConfiguration(configuration, name: "test").endpoint == .unix(path: "/r"))
    }

    @Test(arguments: ["sslmode", "channel_binding", "krbsrvname"])
    func `a database URL that asks for what is not to be had is refused with the keyword's name`(keyword: String) {
        let problems = #expect(throws: ConfigurationProblems.self) {
            try Configuration.load(
                schema,
                file: nil,
                environment: ["TICKLOOP_DATABASE_URL": "postgresql://me:secret@db/x?\(keyword)=bogus"]
            )
        }
        #expect(problems?.description.contains(": \(keyword) ") == true)
        #expect(problems?.description.contains("secret") == false)
    }

    @Test(arguments: [
        "mysql://me@localhost/x", "localhost", "host=db user=me", "postgresql://db/x", "postgres://me@[::",
    ])
    func `a URL of another kind of database is refused`(url: String) {
        #expect(throws: ConfigurationProblems.self) {
            try Configuration.load(schema, file: nil, environment: ["TICKLOOP_DATABASE_URL": url])
        }
    }
}

@Suite struct RedisLocationTests {
    @Test(
        arguments: [
            ("redis://localhost", "localhost:6379", nil, nil, 0),
            ("redis://127.0.0.1:6380/3", "127.0.0.1:6380", nil, nil, 3),
            ("redis://[::1]/", "[::1]:6379", nil, nil, 0),
            ("redis://[::1]:7000/15", "[::1]:7000", nil, nil, 15),
            ("redis://:p%40ss%2Fword@redis:6379", "redis:6379", nil, "p@ss/word", 0),
            ("redis://me:a:b@redis", "redis:6379", "me", "a:b", 0),
            ("redis://me@redis", "redis:6379", "me", nil, 0),
            ("unix:///run/redis.sock", "unix:/run/redis.sock", nil, nil, 0),
            ("unix://:secret@/run/a@b.sock?db=2", "unix:/run/a@b.sock", nil, "secret", 2),
        ] as [(String, String, String?, String?, Int)]
    )
    func `a URL is taken apart`(url: String, endpoint: String, user: String?, password: String?, database: Int) throws {
        let location = try #require(RedisLocation(url: url))
        #expect(location.endpoint.description == endpoint)
        #expect(location.username == user)
        #expect(location.password == password)
        #expect(location.database == database)
    }

    @Test(arguments: [
        "", "redis", "redis://", "rediss://host", "http://host", "redis://host:port", "redis://host/x",
        "redis://host/1/2",
        "redis://host/-1", "redis://host/70000", "redis://%zz@host", "redis://%f@host", "redis://%+1@host",
        "redis://%ff@host", "unix://run/redis.sock", "unix:///run/redis.sock?x=1", "unix:///run/redis.sock?db=x",
    ])
    func `a text that is no such URL is refused`(url: String) {
        #expect(RedisLocation(url: url) == nil)
    }

    @Test func `a URL takes the place of the separate keys`() throws {
        let environment = [
            "TICKLOOP_REDIS_URL": "redis://u:p@one:1/2", "TICKLOOP_REDIS_ADDRESS": "two:2",
            "TICKLOOP_REDIS_USERNAME": "v", "TICKLOOP_REDIS_PASSWORD": "q", "TICKLOOP_REDIS_DATABASE": "4",
        ]
        func redis(_ environment: [String: String]) throws -> [String?] {
            let configuration = try Configuration.load(schema, file: nil, environment: environment)
            let redis = RedisConfiguration(configuration, name: "test")
            return ["\(redis.endpoint)", redis.username, redis.password, "\(redis.database)"]
        }
        #expect(try redis(environment) == ["one:1", "u", "p", "2"])
        #expect(try redis(environment.filter { $0.key != "TICKLOOP_REDIS_URL" }) == ["two:2", "v", "q", "4"])
    }
}
