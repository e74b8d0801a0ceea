import JSONWire
import Reactor
import TestSupport
import Testing

/// CONTRACT §8 as a table, written apart from the routes that declare it.
///
/// A route that is in no row has to want some scope: a new one needs a row only if anybody may ask for it.
extension GuardedSystemTests {
    /// HEAD wants what GET does.
    private static let scopes = [
        "GET /prices/average": "prices:read", "GET /prices/bars": "prices:read", "GET /prices/history": "prices:read",
        "GET /prices/latest": "prices:read", "GET /prices/moving-average": "prices:read",
        "GET /prices/stream": "prices:read",
        "GET /prices/poll": "prices:poll", "GET /prices/poll/{id}": "prices:poll", "POST /prices/poll": "prices:poll",
        "PATCH /prices/poll/{id}": "prices:poll", "DELETE /prices/poll/{id}": "prices:poll",
        "GET /orders": "orders:read", "GET /orders/events": "orders:read", "GET /orders/stream": "orders:read",
        "GET /orders/{id}": "orders:read", "GET /orders/{id}/events": "orders:read",
        "GET /orders/{id}/stream": "orders:read",
        "POST /orders": "orders:write", "DELETE /orders/{id}": "orders:write",
        "GET /api/companies": "conversations:read", "GET /api/conversations": "conversations:read",
        "GET /api/conversations/{id}": "conversations:read", "GET /api/tags": "conversations:read",
        "GET /api/statistics": "statistics:read", "GET /api/statistics/routes": "statistics:read",
        "GET /api/statistics/series": "statistics:read", "GET /api/statistics/summary": "statistics:read",
        "GET /api/statistics/top": "statistics:read",
        "GET /metrics": "admin",
    ]
    private static let scopesOfAPI = ["GET /prices/stream/all": "prices:read", "GET /tasks/{id}": "prices:read"]

    private static let open = [
        "/health", "/ready", "/openapi.json", "/api-docs/openapi.json", "/swagger-ui", "/swagger-ui/{file}",
    ]
    private static let openByRole: [Role: [String]] = [
        .gateway: [
            "/live", "/live/live.css", "/live/live.js", "/statistics", "/statistics/statistics.css",
            "/statistics/statistics.js",
        ],
        .api: ["/docs"],
    ]

    /// One that allows nothing.
    private var token: String {
        get async throws { try await TestTokens.make(of: "eve", ["nothing"]) }
    }

    @Test(arguments: Role.allCases) @ReactorActor
    func `each route wants its scope, and its description says which`(role: Role) async throws {
        let scopes = role == .api ? Self.scopes.merging(Self.scopesOfAPI) { $1 } : Self.scopes
        let open = Self.open + Self.openByRole[role, default: []]
        let reader = try OpenAPIReader(try await system.ask(role, "/openapi.json").body)
        for operation in reader.operations {
            let (path, method) = (operation.path, operation.method)
            let row = "\(method) \(path)"
            let answer = try await system.ask(as: token, reader.exampleTarget(operation), method, on: role)
            let wanted = answer.wantedScope
            #expect(operation.json["security"]?.array?.first?["bearer"]?.array?.first?.string == wanted, "\(row)")
            #expect((wanted == nil) == (method == "OPTIONS" || open.contains(path)), "\(row)")
            if method == "OPTIONS" { continue }
            if let scope = scopes[method == "HEAD" ? "GET \(path)" : row] { #expect(wanted == scope, "\(row)") }
        }
        let served = Set(reader.operations.map { "\($0.method) \($0.path)" })
        #expect(served.isSuperset(of: scopes.keys), "\(Set(scopes.keys).subtracting(served))")
        #expect(served.isSuperset(of: open.map { "GET \($0)" }))
    }

    @Test @ReactorActor func `what is no route wants a scope only where it is passed on`() async throws {
        for method in ["GET", "POST", "OPTIONS"] {
            #expect(try await system.ask(as: token, "/categories/a", method).wantedScope == "proxy")
            for role in Role.allCases {
                #expect(try await system.ask(as: token, "/orders/a/b/c", method, on: role).status == 404)
            }
        }
        for role in Role.allCases {
            #expect(try await system.ask(role, "/orders", "PUT").status == 405)
            #expect(try await system.ask(role, "/orders", "OPTIONS").status == 204)
            #expect(try await system.ask(role, "*", "OPTIONS").status == 204)
        }
    }

    @Test(arguments: [
        ("GET", "/console"), ("GET", "/console/console.css"), ("GET", "/admin/snapshot"), ("GET", "/admin/stream"),
        ("GET", "/admin/audit"), ("GET", "/admin/limits"), ("PUT", "/admin/limits"), ("DELETE", "/admin/limits"),
        ("POST", "/admin/queue/pause"), ("POST", "/admin/queue/dead/drop"), ("POST", "/admin/events/dead/drop"),
        ("POST", "/admin/orders/1/give-up"),
    ])
    @ReactorActor
    func `what is for operators wants admin`(method: String, target: String) async throws {
        let admin = try #require(UpEnvironment(system.environmentFile).endpoint("TICKLOOP_ADMIN_URL"))
        let fields = ["X-Operator: me", "Authorization: Bearer \(try await token)"]
        #expect(try await request(method, target, on: admin, fields: fields).wantedScope == "admin")
    }
}

extension TestResponse {
    /// What the token would have to allow, if it allows too little.
    fileprivate var wantedScope: String? {
        guard status == 403, let challenge = self["www-authenticate"] else { return nil }
        let prefix = #"Bearer error="insufficient_scope", scope=""#
        return challenge.hasPrefix(prefix) ? String(challenge.dropFirst(prefix.count).dropLast()) : challenge
    }
}
