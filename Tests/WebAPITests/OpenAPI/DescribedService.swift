import HTTPServer
import HTTPWire
import JSONWire
import Reactor
import TestSupport
import WebAPI

/// A service with routes of several kinds, described and served.
@ReactorActor
struct DescribedService {
    let server: HTTPServer
    let endpoint: Endpoint
    /// Why the page is missing, if it is.
    let complaint: String?

    /// - Parameter folder: Of Swagger UI; nil for none.
    init(folder: String? = nil) async throws {
        var complaint: String?
        let page = folder.map { SwaggerUI(folder: $0, title: "Shop") { complaint = $0 } }
        let routes = DocumentationRoutes.describing(
            ServiceDescription(title: "Shop", summary: "Sells.", takesDeadlineFromCaller: true),
            Self.routes,
            limits: HTTPLimits(targetBytes: 4321),
            page: page,
            pagePaths: ["/docs"]
        )
        let service = WebService(routes: routes, requestTimeout: .seconds(5), takesDeadlineFromCaller: true)
        server = HTTPServer(handler: service)
        endpoint = try await server.listen(on: .tcp(host: "127.0.0.1", port: 0))
        self.complaint = complaint
    }

    static let order = Schema.object(["id": .integer(in: 1...999), "state": .word(["new", "paid"])]).named("Order")

    private static let count = Field.member("count", .wholeNumber(in: 1...9), "How many.", isRequired: true, example: 8)
    private static let note = Field.member("note", .text(of: .alphanumeric, length: 1...900), "For us.")

    static var routes: [Route] {
        let orders = RouteGroup("Orders", "What was bought.")
        return [
            Route(
                .get,
                "/orders/{id}",
                RouteDocumentation(
                    "An order",
                    in: orders,
                    parameters: [
                        .path("id", "Its number.", .integer(in: 1...999), example: "7"),
                        .query("since", "Not older.", .string(format: "date"), example: "2025-01-06"),
                    ],
                    answers: [.json(.ok, "It.", order, example: ["id": 7, "state": "new"])],
                    errors: [.notFound, .unavailable, APIError(.notFound, "There is no such order.")]
                )
            ) { _ in HTTPResponse(json: Array(#"{"id":7,"state":"new"}"#.utf8)) },
            Route(
                .post,
                "/orders",
                RouteDocumentation(
                    "Buys",
                    in: orders,
                    body: .json("NewOrder", [count.documentation, note.documentation], limitBytes: 1000),
                    answers: [.json(.created, "Bought.", order, example: nil)],
                    errors: [APIError([FieldFault(.content, field: "count", message: "count is required")])]
                )
            ) { context throws(APIError) in
                var fields = try Fields(context.content)
                let count = fields.read(count)
                _ = fields.read(note)
                let id = try fields.finish(count)
                return HTTPResponse(json: Array(#"{"id":\#(id),"state":"new"}"#.utf8), status: .created)
            },
            Route(
                .get,
                "/orders",
                RouteDocumentation("All", in: orders, answers: [.other(["text/plain"], "Lines.")])
            ) { _ in HTTPResponse(.ok, fields: ["Content-Type": "text/plain"], body: .bytes([])) },
        ]
    }

    func ask(_ target: String, _ method: String = "GET", _ fields: String...) async throws -> TestResponse {
        try await request(method, target, on: endpoint, fields: fields)
    }

    func buy(_ body: String, _ field: String = "Content-Type: application/json") async throws -> TestResponse {
        try await request("POST", "/orders", on: endpoint, fields: [field], body: body)
    }
}

/// Runs `body` against a service, which is closed afterwards.
@ReactorActor
func withService(folder: String? = nil, _ body: @ReactorActor (DescribedService) async throws -> Void) async throws {
    let service = try await DescribedService(folder: folder)
    defer { service.server.close() }
    try await body(service)
}
