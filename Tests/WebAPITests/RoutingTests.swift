import HTTPServer
import HTTPWire
import JSONWire
import Reactor
import Testing

@testable import WebAPI

@Suite struct RoutingTests {
    init() { Reactor.runInBackground() }

    private let table = RouteTable(
        [
            ("GET", "/prices/average"), ("GET", "/orders"), ("POST", "/orders"), ("GET", "/orders/{id}"),
            ("GET", "/orders/{id}/events"),
        ].map { method, path in
            let path = PathTemplate(stringLiteral: path)
            let documentation = RouteDocumentation(
                "",
                in: .operations,
                parameters: path.parameterNames.map { .path($0, "", .string(), example: "") },
                answers: [.empty(.noContent, "")]
            )
            return Route(HTTPMethod(rawValue: method), path, documentation) { _ in HTTPResponse(.noContent) }
        }
    )

    /// What was found, as text: the template with its parameters, the allowed methods, or nothing.
    private func find(_ method: String, _ path: String) -> String {
        switch table.find(HTTPMethod(rawValue: method), path: path.utf8.span) {
        case .route(let served, let parameters):
            parameters.values.reduce("\(table.paths[served.resource])") { "\($0) \($1.name)=\($1.text)" }
        case .otherMethod(let resource): resource.allowed.map(\.rawValue).joined(separator: ", ")
        case .service: table.methods.map(\.rawValue).joined(separator: ", ")
        case .nothing: "nothing"
        }
    }

    @Test(arguments: [
        ("GET", "/prices/average", "/prices/average"),
        ("HEAD", "/prices/average", "/prices/average"),
        ("GET", "/prices/average/", "/prices/average"),
        ("GET", "/v1/prices/average", "/prices/average"),
        ("GET", "/v1/prices/average/", "/prices/average"),
        ("GET", "/v1/orders/7", "/orders/{id} id=7"),
        ("GET", "/orders/7/", "/orders/{id} id=7"),
        ("GET", "/orders/7/events", "/orders/{id}/events id=7"),
        ("POST", "/orders", "/orders"),
        ("POST", "/prices/average", "GET, HEAD, OPTIONS"),
        ("OPTIONS", "/orders", "GET, POST, HEAD, OPTIONS"),
        ("DELETE", "/orders/7", "GET, HEAD, OPTIONS"),
        ("OPTIONS", "*", "GET, HEAD, OPTIONS, POST"),
        ("GET", "/", "nothing"), ("GET", "/v1", "nothing"), ("GET", "/v1/", "nothing"), ("OPTIONS", "/*", "nothing"),
        ("GET", "/v1/v1/orders", "nothing"), ("GET", "/v2/orders", "nothing"), ("GET", "//orders", "nothing"),
        ("GET", "/prices//average", "nothing"), ("GET", "/prices/average//", "nothing"),
        ("GET", "/Prices/average", "nothing"), ("GET", "/prices/averages", "nothing"),
        ("GET", "/orders//events", "nothing"), ("GET", "/orders/7/events/1", "nothing"),
        // Marks that combine with the slash before them.
        ("GET", "/orders/\u{301}", "/orders/{id} id=\u{301}"), ("GET", "/orders/7/\u{301}events", "nothing"),
        ("GET", "/orders/\u{301}/events", "/orders/{id}/events id=\u{301}"),
    ])
    func `a request finds its route, the methods of its path, or nothing`(
        method: String,
        path: String,
        expected: String
    ) {
        #expect(find(method, path) == expected)
    }

    @Test @ReactorActor func `a route that does not say what it needs, needs admin`() {
        let documentation = RouteDocumentation("", in: .operations, answers: [.empty(.noContent, "")])
        #expect(Route(.get, "/x", documentation) { _ in HTTPResponse(.noContent) }.needs == .admin)
        #expect(Route.direct(.get, "/x", documentation) { _ in }.needs == .admin)
        let silent = Operation(.get, "/x", documentation) { _ in }
        let saying = Operation(.get, "/x", needs: Scope("x:read", "Reading it"), documentation) { _ in }
        for (operation, scope) in [(silent, "admin"), (saying, "x:read")] {
            let answered = operation.answered { _, _ in HTTPResponse(.noContent) }
            #expect(answered.needs?.name == scope)
            #expect(answered.guarded.needs?.name == scope)
            #expect(operation.answeredDirectly { _, _ in }.needs?.name == scope)
            #expect(answered.open.needs == nil)
        }
    }

    @Test @ReactorActor
    func `a service counts the errors that its routes may answer with from the start, and no others`() {
        let documentation = RouteDocumentation(
            "",
            in: .operations,
            answers: [.empty(.noContent, "")],
            errors: [APIError(.rateLimited, "Later.")]
        )
        let route = Route(.get, "/limited", documentation) { _ in HTTPResponse(.noContent) }
        let service = WebService(routes: [route], requestTimeout: .seconds(1), takesDeadlineFromCaller: false)
        #expect(service.errors[.rateLimited] == 0)
        #expect(service.errors[.notFound] == 0 && service.errors[.overloaded] == 0)
        #expect(service.errors[.idempotencyConflict] == nil && service.errors[.invalidDate] == nil)
    }
}
