import Access
import Basics
import Glibc
import HTTPClient
import HTTPWire
import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

/// Who may do what, as an operator switches it on.
@Suite struct AccessTests {
    init() { loop }

    @Test @ReactorActor func `with auth.mode jwt a route wants a token with its scope, and says no more than that`()
        async throws
    {
        let folder = try TestFolder.make()
        let secret = TokenKeys.newSecret()
        try Files.write(secret, to: "\(folder)/keys.json")
        let gateway = try GuardedGateway(in: folder)
        try await eventually("an answer", within: .seconds(30)) { await gateway.ask("/health")?.status == .ok }

        // Without a token, with something else, with a token of nobody.
        let bare = try #require(await gateway.ask("/prices/average?symbol=AAPL"))
        #expect(bare.status == .unauthorized)
        #expect(bare.fields["WWW-Authenticate"] == "Bearer")
        #expect(String(decoding: bare.body, as: UTF8.self).contains(#""code":"UNAUTHENTICATED""#))
        for value in ["Basic YTpi", "Negotiate YTpi", "Bearers a", "Bearer", "Bearer ", "Bearer x.y.z", "bearer a b"] {
            let answer = try #require(await gateway.ask("/orders", authorization: value))
            #expect(answer.status == .unauthorized, "\(value)")
            let isToken = value.lowercased().split(separator: " ")[0] == "bearer"
            let challenge = isToken ? #"Bearer error="invalid_token""# : "Bearer"
            #expect(answer.fields["WWW-Authenticate"] == challenge, "\(value)")
        }

        // A good token reaches what its scope allows (which cannot answer: there is no API), and nothing else.
        let reader = try await token(["prices:read"], folder)
        let allowed = try #require(
            await gateway.ask(
                "/prices/average?symbol=AAPL&start_date=2024-01-01&end_date=2024-01-02",
                authorization: "Bearer \(reader)"
            )
        )
        #expect(allowed.status == .badGateway)
        let refused = try #require(await gateway.ask("/orders", authorization: "Bearer \(reader)"))
        #expect(refused.status == .forbidden)
        #expect(
            refused.fields["WWW-Authenticate"] == #"Bearer error="insufficient_scope", scope="orders:read""#
        )
        // What a proxy passes on needs a token, too, in every spelling of a path.
        for target in ["/categories/x", "/categories/%78", "/categories/../orders", "/categories//x", "/categories"] {
            #expect(await gateway.ask(target)?.status == .unauthorized, "\(target)")
        }
        // What is nowhere is no secret.
        for target in ["/other", "//orders", "/v1/../orders", "/%63ategories/x"] {
            #expect(await gateway.ask(target)?.status == .notFound, "\(target)")
        }
        let administrator = try await token(["admin"], folder)
        #expect(await gateway.ask("/orders", authorization: "Bearer \(administrator)")?.status == .badGateway)

        // New keys are taken by SIGHUP, and tokens of the old ones are good no more.
        try Files.write(TokenKeys.newSecret(), to: "\(folder)/keys.json")
        gateway.process.send(SIGHUP)
        try await eventually("the new keys") {
            await gateway.ask("/orders", authorization: "Bearer \(administrator)")?.status == .unauthorized
        }
        // Each reason is said once, however often it comes.
        try await eventually("the last refusal in the log") {
            gateway.process.lines.contains { $0.contains("token refused") && $0.contains("unknownKey") }
        }
        #expect(gateway.process.lines.count { $0.contains("not one bearer token") } == 1)
        try await gateway.process.kill()
    }

    @Test(arguments: [
        (["TICKLOOP_AUTH_MODE": "jwt"], "TICKLOOP_AUTH_MODE: auth.mode is jwt, which needs auth.keys", 78),
        (
            ["TICKLOOP_AUTH_MODE": "jwt", "TICKLOOP_AUTH_KEYS": "/nowhere.json"],
            "auth.keys: /nowhere.json cannot be read", 1
        ),
    ])
    @ReactorActor
    func `a gateway that cannot know whom to let in does not start`(
        settings: [String: String],
        reason: String,
        status: CInt
    ) async throws {
        let process = try TickloopProcess(["gateway"], environment: settings, folder: packageFolder)
        #expect(try await process.waitForEnd() == .exited(status))
        #expect(process.lines.contains { $0.contains(reason) }, "\(process.lines)")
    }

    @ReactorActor
    private func token(
        _ scopes: [String],
        _ folder: String,
        of subject: String = "ada",
        seconds: Int = 3600
    ) async throws -> String {
        let command = try TickloopProcess(
            ["token", "--sub", subject, "--expires-in", "\(seconds)"] + scopes.flatMap { ["--scope", $0] },
            environment: ["TICKLOOP_AUTH_KEYS": "\(folder)/keys.json"],
            folder: packageFolder
        )
        #expect(try await command.waitForEnd() == .exited(0))
        return try #require(command.lines.first)
    }
}

/// A gateway that asks for tokens.
@ReactorActor
private final class GuardedGateway {
    let process: TickloopProcess
    private let client: HTTPClient

    init(in folder: String) throws {
        let endpoint = Endpoint.unix(path: "\(folder)/gateway.sock")
        process = try TickloopProcess(
            ["gateway"],
            environment: [
                "TICKLOOP_SERVER_LISTEN": "\(endpoint)", "TICKLOOP_AUTH_MODE": "jwt",
                "TICKLOOP_AUTH_KEYS": "\(folder)/keys.json", "TICKLOOP_UPSTREAM_ADDRESS": "127.0.0.1:1",
                "TICKLOOP_REDIS_ADDRESS": "127.0.0.1:1",
            ],
            folder: packageFolder
        )
        var configuration = HTTPClientConfiguration()
        configuration.connectWindow = .zero
        client = HTTPClient(upstream: endpoint, configuration: configuration)
    }

    func ask(_ target: String, authorization: String? = nil) async -> HTTPClientResponse? {
        var fields = HTTPFields()
        if let authorization { fields.append("Authorization", authorization) }
        let request = HTTPClientRequest(.get, target: target, authority: "localhost", fields: fields)
        return try? await client.send(request, deadline: Reactor.now + .seconds(10))
    }
}
