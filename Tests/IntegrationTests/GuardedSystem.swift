import Access
import Basics
import Glibc
import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

/// Keys of a system that asks for tokens, and tokens that they sign.
enum TestTokens {
    /// A key set with a secret, for all such systems of this process.
    static let keysFile: String = {
        guard let folder = try? TestFolder.make() else { return "/nowhere" }
        try? Files.write(TokenKeys.newSecret(), to: "\(folder)/keys.json")
        return "\(folder)/keys.json"
    }()

    /// A token of somebody.
    static func make(of subject: String, _ scopes: Set<String>, seconds: Int = 3600) async throws -> String {
        let keys = try await TokenKeys(parsing: FileContents.bytes(keysFile, atMost: TokenKeys.bytesMax))
        let now = time(nil)
        let claims = TokenClaims(subject: subject, scopes: scopes, expiresAt: now + seconds)
        return try #require(
            keys.signing.flatMap { claims.signed(with: $0, issuer: nil, audience: nil, issuedAt: now) }
        )
    }
}

extension SuiteTrait where Self == RunningSystem {
    /// The suite shares one running system that asks for tokens.
    static var guardedSystem: Self {
        RunningSystem(
            ownsServers: false,
            settings: ["TICKLOOP_AUTH_MODE": "jwt", "TICKLOOP_AUTH_KEYS": TestTokens.keysFile]
        )
    }
}

extension System {
    /// One request of somebody with a token.
    func ask(
        as token: String,
        _ target: String,
        _ method: String = "GET",
        on role: Role = .gateway
    ) async throws -> TestResponse {
        try await ask(role, target, method, fields: ["Authorization: Bearer \(token)"])
    }

    /// Cancels an order of somebody with a token, between two attempts to place it.
    func cancel(_ id: String, as token: String) async throws {
        try await eventually("the cancellation") {
            let status = try await ask(as: token, "/orders/\(id)", "DELETE").status
            #expect(status == 200 || status == 409)
            return status == 200
        }
    }

    /// Places an order of somebody with a token.
    func place(as token: String, key: String) async throws -> TestResponse {
        try await request(
            "POST",
            "/orders",
            on: endpoint(.gateway),
            fields: ["Content-Type: application/json", "Idempotency-Key: \(key)", "Authorization: Bearer \(token)"],
            body: System.limitOrder
        )
    }
}

/// The whole program, where everybody has to say who he is.
@Suite(.guardedSystem, .serialized) struct GuardedSystemTests {
    let system: System

    init() throws { system = try #require(RunningSystem.current) }

    @Test @ReactorActor func `orders are those of who placed them, and nobody else's`() async throws {
        let scopes: Set = ["orders:read", "orders:write"]
        let ada = try await TestTokens.make(of: "ada", scopes)
        let eve = try await TestTokens.make(of: "eve", scopes)
        #expect(try await system.order(.api).status == 401)
        let hers = try await system.place(as: ada, key: "k")
        #expect(hers.status == 201, "\(hers.body)")
        let id = try #require(hers.json?["id"]?.string)
        // A key is its owner's, too: what another sends under it is another order.
        let others = try await system.place(as: eve, key: "k")
        #expect(others.status == 201)
        #expect(others["idempotency-replayed"] == nil)
        #expect(others.json?["id"]?.string != id)
        #expect(try await system.place(as: ada, key: "k")["idempotency-replayed"] == "true")

        for role in Role.allCases {
            for (method, target) in [
                ("GET", "/orders/\(id)"), ("GET", "/orders/\(id)/events"), ("GET", "/orders/\(id)/stream"),
                ("DELETE", "/orders/\(id)"),
            ] { #expect(try await system.ask(as: eve, target, method, on: role).status == 404, "\(method) \(target)") }
            for target in ["/orders", "/orders?status=pending", "/orders/events"] {
                #expect(try await system.ask(as: ada, target, on: role).body.contains(id), "\(target)")
                #expect(try await !system.ask(as: eve, target, on: role).body.contains(id), "\(target)")
            }
        }
        let stream = try await TestEventStream("/orders/stream", on: system.endpoint(.gateway), token: eve)
        #expect(try await stream.next().data.contains(try #require(others.json?["id"]?.string)))
        try await system.cancel(id, as: ada)
        #expect(stream.events.allSatisfy { !$0.data.contains(id) })
        // Who only may read does not cancel.
        let reader = try await TestTokens.make(of: "ada", ["orders:read"])
        #expect(try await system.ask(as: reader, "/orders/\(id)", "DELETE").status == 403)
    }

    /// 20,000 events of somebody else are a hundred pages of everybody's, and none of one's own.
    @Test @ReactorActor func `a stream of one's own orders does not read those of others`() async throws {
        let token = try await TestTokens.make(of: "late", ["orders:read", "orders:write", "admin"])
        _ = try await system.sql(
            """
            with other as (
                insert into orders (id, created_at, type, side, instrument, quantity, status, owner)
                values (gen_random_uuid(), now(), 'market', 'buy', 'DE000A0Q4RZ3', 1, 'rejected', 'busy') returning id
            )
            insert into order_events (position, order_id, version, type, data, created_at)
            select nextval('order_event_positions'), id, version, 'PlacementFailed', '{}', now()
            from other, generate_series(1, 20000) as version
            """
        )
        let id = try #require(try await system.place(as: token, key: "late").json?["id"]?.string)
        func statements() async throws -> Double {
            let page = MetricsText(try await system.ask(as: token, "/metrics", on: .api).body)
            return try #require(page.value("tickloop_database_statement_duration_seconds_count"))
        }
        let before = try await statements()
        let stream = try await TestEventStream("/orders/stream", on: system.endpoint(.api), token: token)
        defer { stream.close() }
        #expect(try await stream.next().data.contains(id))
        #expect(try await statements() - before < 60)
    }

    @Test(arguments: [("/orders/stream", "orders:read"), ("/prices/stream?symbols=ENDS", "prices:read")])
    @ReactorActor
    func `a stream ends with the token that it began with`(target: String, scope: String) async throws {
        let short = try await TestTokens.make(of: "ada", [scope], seconds: 2)
        for role in Role.allCases {
            let stream = try await TestEventStream(target, on: system.endpoint(role), token: short)
            #expect(stream.head.status == 200)
            try await eventually("the end", within: .seconds(60)) { stream.isEnded }
        }
    }

    @Test @ReactorActor func `a gateway asks for prices with the tokens of those who listen, one after the other`()
        async throws
    {
        let target = "/prices/stream?symbols=LENT"
        #expect(try await system.ask(.api, "/prices/stream/all").status == 401)
        let short = try await TestTokens.make(of: "ada", ["prices:read"], seconds: 2)
        let ending = try await TestEventStream(target, on: system.endpoint(.gateway), token: short)
        #expect(ending.head.status == 200)
        let long = try await TestTokens.make(of: "eve", ["prices:read"])
        let staying = try await TestEventStream(target, on: system.endpoint(.gateway), token: long)
        defer { staying.close() }
        try await eventually("the end of the first", within: .seconds(60)) { ending.isEnded }
        try await system.sql(
            """
            select from store_quotes(
                '{yfinance}', '{LENT}', '{7}', '{USD}', '{2024-03-20T10:30:00Z}', '{2024-03-20T10:31:00Z}',
                array['{}'::bytea]
            )
            """
        )
        #expect(try await staying.next().data.contains(#""symbol":"LENT","price":7,"#))
    }
}
