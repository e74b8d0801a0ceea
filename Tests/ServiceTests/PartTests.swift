import HTTPServer
import HTTPWire
import Reactor
import Testing
import WebAPI

@testable import Service

@Suite struct PartTests {
    init() { Reactor.runInBackground() }

    private static let scope = Scope("things:read", "Reading things")

    @Test @ReactorActor func `what the routes of a part want of tokens, it names`() throws {
        let documentation = RouteDocumentation("", in: .operations, answers: [.empty(.noContent, "")])
        let routes = [Scope.admin, Self.scope, nil].map { scope in
            Route(.get, "/things", needs: scope, documentation) { _ in HTTPResponse(.noContent) }
        }
        for running in [RunningPart(routes: routes), RunningPart(adminRoutes: routes)] {
            let naming = Part<Void>(scopes: [Self.scope]) { _ in running }
            #expect(try [RunningPart](starting: [naming], with: ()).count == 1)
            let silent = Part<Void> { _ in running }
            #expect(throws: StartupError.self) { try [RunningPart](starting: [silent], with: ()) }
        }
    }

    @Test(
        arguments: [
            (nil, true), (["GET /things"], true), ([], false), (["PUT /things"], false),
            (["GET /things", "GET /others"], false),
        ] as [([String]?, Bool)]
    )
    @ReactorActor
    func `a part answers to the routes that it names, and to no others`(names: [String]?, isStarted: Bool) throws {
        let documentation = RouteDocumentation("", in: .operations, answers: [.empty(.noContent, "")])
        let route = Route(.get, "/things", documentation) { _ in HTTPResponse(.noContent) }
        let part = Part<Void>(routes: names) { _ in RunningPart(routes: [route]) }
        if isStarted {
            #expect(try [RunningPart](starting: [part], with: ()).routes.map(\.name) == ["GET /things"])
        } else {
            #expect(throws: StartupError.self) { try [RunningPart](starting: [part], with: ()) }
        }
    }
}
