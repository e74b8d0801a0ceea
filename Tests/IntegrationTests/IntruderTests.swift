import JSONWire
import Reactor
import TestSupport
import Testing

/// Ways in that an intruder would try, where everybody has to say who he is.
extension GuardedSystemTests {
    /// What needs no token.
    private static let publicPaths = [
        "/health", "/ready", "/openapi.json", "/api-docs/openapi.json", "/swagger-ui", "/swagger-ui/{file}", "/docs",
        "/live", "/live/live.css", "/live/live.js",
    ]

    /// Every method of every path of a role, with the examples of its parameters, and the scope that it says it wants.
    @ReactorActor
    private func operations(_ role: Role) async throws -> [(method: String, target: String, scope: String?)] {
        let document = try #require(try await system.ask(role, "/openapi.json").json)
        var operations: [(method: String, target: String, scope: String?)] = []
        for path in document["paths"]?.object?.members ?? [] {
            for operation in path.value.object?.members ?? [] where operation.name != "options" {
                var target = path.name
                for parameter in operation.value["parameters"]?.array ?? [] where parameter["in"]?.string == "path" {
                    let name = parameter["name"]?.string ?? ""
                    target = target.replacing("{\(name)}", with: parameter["example"]?.string ?? "x")
                }
                let scope = operation.value["security"]?.array?.first?["bearer"]?.array?.first?.string
                if scope == nil {
                    #expect(
                        Self.publicPaths.contains(path.name) || path.name.hasPrefix("/statistics"),
                        "\(path.name) is open to everybody"
                    )
                }
                operations.append((operation.name.uppercased(), target, scope))
            }
        }
        return operations
    }

    @Test(arguments: Role.allCases) @ReactorActor
    func `no route does anything without a token, with a false one, or with one for something else`(role: Role)
        async throws
    {
        let powerless = try await TestTokens.make(of: "eve", ["other"])
        let expired = try await TestTokens.make(of: "eve", ["admin"], seconds: -120)
        let parts = powerless.split(separator: ".")
        let claims = "eyJzdWIiOiJldmUiLCJzY29wZSI6ImFkbWluIiwiZXhwIjo0MDAwMDAwMDAwfQ"
        let forged = [
            // {"alg":"none"}, and the good token's header and signature around the claims of an administrator.
            "eyJhbGciOiJub25lIn0.\(claims).", "\(parts[0]).\(claims).\(parts[2])", "\(parts[0]).\(claims).", expired,
            "\(powerless)x", String(repeating: "A", count: 9000),
        ]
        let operations = try await operations(role)
        #expect(operations.contains { $0.scope == "orders:write" } && operations.count > 20)
        for (method, target, scope) in operations {
            guard let scope else { continue }
            let bare = try await system.ask(role, target, method)
            #expect(bare.status == 401, "\(method) \(target)")
            #expect(bare["www-authenticate"] == "Bearer", "\(method) \(target)")
            let refused = try await system.ask(as: powerless, target, method, on: role)
            #expect(refused.status == 403, "\(method) \(target)")
            #expect(refused["www-authenticate"]?.contains("scope=\"\(scope)\"") == true)
        }
        for token in forged {
            let answer = try await system.ask(as: token, "/orders", on: role)
            #expect(answer.status == 401, "\(token.prefix(60))")
            #expect(answer["www-authenticate"] == "Bearer error=\"invalid_token\"")
            #expect(answer.fields.allSatisfy { $0.name != "set-cookie" })
        }
    }

    @Test @ReactorActor func `a token stands in one place only, once`() async throws {
        let good = try await TestTokens.make(of: "ada", ["orders:read"])
        let (bearer, other) = ("Authorization: Bearer \(good)", "Authorization: Bearer x.y.z")
        // RFC 9110 §11.4 allows several spaces.
        for field in [bearer, "Authorization: BEARER   \(good)"] {
            #expect(try await system.ask(.gateway, "/orders", fields: [field]).status == 200)
        }
        for fields in [
            [bearer, other], [other, bearer], [bearer, bearer], ["\(bearer), Bearer x"],
            ["Authorization: Basic \(good)"],
            ["Authorization: Bearer\t\(good)"], ["Authorization: \(good)"], ["Cookie: access_token=\(good)"],
            ["X-Authorization: Bearer \(good)"], ["Proxy-Authorization: Bearer \(good)"],
        ] { #expect(try await system.ask(.gateway, "/orders", fields: fields).status == 401, "\(fields)") }
        #expect(try await system.ask(.gateway, "/orders?access_token=\(good)").status == 401)
    }

    @Test(arguments: [
        "/v1/orders", "/orders/", "//orders", "/./orders", "/orders/.", "/%6frders", "/%6Frders", "/v1/%6frders",
        "/orders%2F", "/orders%2fx", "/orders;x=1", "/ORDERS", "/orders%00", "/orders%20", "/orders/..;/orders",
        "/health/../orders", "/health/%2e%2e/orders", "/health%2F..%2Forders", "/health/..%2Forders",
        "/health;/../orders",
        "/swagger-ui/../orders", "/swagger-ui/%2e%2e/orders", "/swagger-ui/..%2f..%2forders", "/docs/..%5corders",
        "/live/../v1/orders", "/v1/v1/orders", "/v1/../orders", "/v1//orders", "/categories/../orders",
        "/categories/%2e%2e/orders", "/categories/..%2forders", "http://localhost/orders", "http://localhost//orders",
        "/orders?/health", "/orders#/health", "/openapi.json/../orders", "/ready/.%2e/orders",
    ])
    @ReactorActor
    func `no spelling of a path gets round the token that it needs`(target: String) async throws {
        let bare = try await system.ask(.gateway, target)
        #expect([400, 401, 404].contains(bare.status), "\(bare.status) \(bare.body)")
        // Who may use the proxy gets nothing else by it.
        let guest = try await TestTokens.make(of: "eve", ["proxy"])
        let answer = try await system.ask(as: guest, target)
        #expect([400, 403, 404].contains(answer.status), "\(answer.status) \(answer.body)")
        for role in Role.allCases {
            let forwarded = try await system.ask(
                role,
                target,
                fields: ["X-Original-URL: /health", "X-Rewrite-URL: /health", "X-Forwarded-For: 127.0.0.1"]
            )
            #expect([400, 401, 404].contains(forwarded.status))
        }
    }

    @Test @ReactorActor func `what is for operators and other services is not on the gateway`() async throws {
        let administrator = try await TestTokens.make(of: "root", ["admin"])
        for target in [
            "/admin", "/admin/queues", "/console", "/prices/stream/all", "/tasks/01a1fd76-c4ba-78d7-ac0f-73e05585ea05",
            "/docs", "/exchange/ledger", "/debug", "/.env", "/server-status",
        ] {
            #expect(try await system.ask(.gateway, target).status == 404, "\(target)")
            #expect(try await system.ask(as: administrator, target).status == 404, "\(target)")
        }
        // Their methods are not there either, in whatever words.
        let order = "/orders/01a1fd76-c4ba-78d7-ac0f-73e05585ea05"
        let reader = try await TestTokens.make(of: "ada", ["orders:read"])
        for field in ["X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE"] {
            let answer = try await system.ask(
                .gateway,
                order,
                "POST",
                fields: ["Authorization: Bearer \(reader)", field, "Content-Length: 0"]
            )
            #expect(answer.status == 405, "\(field)")
        }
        for method in ["TRACE", "CONNECT", "get", "PROPFIND"] {
            let status = try await system.ask(.gateway, "/orders", method).status
            #expect([400, 405, 501].contains(status), "\(method) \(status)")
        }
    }

    @Test @ReactorActor func `a page that a user happens to have open does nothing in his name`() async throws {
        let token = try await TestTokens.make(of: "ada", ["orders:write", "orders:read"])
        // What a form can send, and what the browser adds: there is no cookie, so there is nobody.
        for type in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"] {
            let fields = ["Origin: https://evil.example", "Content-Type: \(type)", "Cookie: session=1"]
            let forged = try await request(
                "POST",
                "/orders",
                on: system.endpoint(.gateway),
                fields: fields,
                body: System.limitOrder
            )
            #expect(forged.status == 401)
            #expect(forged.fields.allSatisfy { $0.name != "set-cookie" && !$0.name.hasPrefix("access-control") })
            let known = try await request(
                "POST",
                "/orders",
                on: system.endpoint(.gateway),
                fields: fields + ["Authorization: Bearer \(token)"],
                body: System.limitOrder
            )
            #expect(known.status == 415)
        }
    }

    @Test @ReactorActor func `nothing of a request becomes a line of an answer's head`() async throws {
        let token = try await TestTokens.make(of: "ada", ["admin"])
        for target in [
            "/orders/%0d%0aX-Evil:%201", "/prices/latest?symbol=A%0d%0aX-Evil:%201", "/categories/%0d%0aX-Evil:%201",
            "/%0aX-Evil:1", "/orders?after=%0d%0a%0d%0a<script>", "/prices/bars?symbol=%E5%98%8A%E5%98%8DX-Evil:1",
        ] {
            let answer = try await system.ask(as: token, target)
            #expect(answer.fields.allSatisfy { $0.name != "x-evil" && !$0.value.contains("X-Evil") }, "\(target)")
            #expect(answer.status >= 400, "\(target)")
        }
        for head in [
            "GET /orders HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\rX-Evil: 1\r\n\r\n",
            "GET /orders HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\u{0}X-Evil\r\n\r\n",
            "GET /orders HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\r\n X-Evil: 1\r\n\r\n",
            "GET /orders HTTP/1.1\r\nHost: a\r\nOrigin: a\nX-Evil: 1\r\nX-Request-Id: b\n\n\r\n",
        ] {
            let socket = try await TestSocket(to: system.endpoint(.gateway))
            socket.send(head)
            let answer = try await socket.takeResponse()
            #expect([400, 401].contains(answer.status), "\(head)")
            #expect(answer.fields.allSatisfy { $0.name != "x-evil" && !$0.value.contains("X-Evil") })
        }
    }

    @Test @ReactorActor func `lists and streams of orders end at one's own, from wherever they are asked`() async throws
    {
        let scopes: Set = ["orders:read", "orders:write"]
        let ada = try await TestTokens.make(of: "ada-2", scopes)
        let eve = try await TestTokens.make(of: "eve-2", scopes)
        let id = try #require(try await system.place(as: ada, key: "hers").json?["id"]?.string)
        for role in Role.allCases {
            for target in [
                "/orders?after=ffffffff-ffff-ffff-ffff-ffffffffffff", "/orders?limit=1000&status=pending",
                "/orders?instrument=DE000A0Q4RZ3", "/orders/events?after=0&limit=1000", "/orders/events?limit=1",
            ] {
                let answer = try await system.ask(as: eve, target, on: role)
                #expect(answer.status == 200, "\(target)")
                #expect(answer.json?["data"]?.array?.isEmpty == true, "\(target)")
            }
            for target in ["/orders/\(id)/stream?last_event_id=0", "/orders/\(id)/events?after=0", "/v1/orders/\(id)/"]
            {
                #expect(try await system.ask(as: eve, target, on: role).status == 404, "\(target)")
            }
            // Nor does one hear of it as it happens.
            let stream = try await TestEventStream(
                "/orders/stream?last_event_id=0",
                on: system.endpoint(role),
                token: eve
            )
            defer { stream.close() }
            let own = try #require(try await system.place(as: eve, key: "own-\(role)").json?["id"]?.string)
            let first = try await stream.next()
            #expect(first.data.contains(own))
            try await system.cancel(own, as: eve)
            var last = first
            while !last.data.contains("OrderCancelled") {
                last = try await stream.next()
                #expect(last.data.contains(own))
            }
            // What comes after the first round is eve's own, too.
            try await system.sql("update orders set owner = 'gone' where id = '\(own)'")
        }
        #expect(try await system.ask(as: eve, "/orders/\(id)", "DELETE").status == 404)
        #expect(try await system.ask(as: ada, "/orders/\(id)").json?["status"]?.string == "pending")
    }
}
