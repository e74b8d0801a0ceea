public import HTTPWire
public import JSONWire

/// The OpenAPI 3.1 description of a service, made from its route declarations.
///
/// Everything in it comes from where the service itself takes it: paths and methods from the routes, limits from the
/// values that are checked, statuses from the error codes, example errors from the code that makes the errors.
///
/// - SeeAlso: https://spec.openapis.org/oas/v3.1.1
public struct OpenAPIDocument {
    /// The group of the answers to HEAD and OPTIONS, which say nothing of their own.
    private static let otherMethods = RouteGroup(
        "HEAD and OPTIONS",
        "Every path also answers to OPTIONS, and every GET to HEAD."
    )

    private let service: ServiceDescription
    private let resources: [RouteResource]
    private let operations: OperationWriter

    /// - Parameters:
    ///   - service: What the service is.
    ///   - routes: All that it answers to, in the order in which they are to be shown.
    ///   - limits: Those of its server.
    public init(_ service: ServiceDescription, routes: [Route], limits: HTTPLimits) {
        self.service = service
        resources = routes.resources
        operations = OperationWriter(
            commonParameters: WebService.parametersOfAnyRequest(
                takesDeadlineFromCaller: service.takesDeadlineFromCaller
            ),
            commonErrors: WebService.errorsOfAnyRequest(limits: limits),
            otherMethods: Self.otherMethods.name
        )
    }

    /// The document.
    public var json: JSONValue {
        [
            "openapi": "3.1.0",
            "info": [
                "title": .string(service.title), "version": "1", "summary": .string(service.summary),
                "description": .string(Self.rules),
            ],
            // Relative to the document, wherever the client reached it.
            "servers": [["url": "/"], ["url": "/v1", "description": "The same, by version."]],
            "tags": .array(groups.map { ["name": .string($0.name), "description": .string($0.meaning)] }),
            "paths": .members(resources.map { ($0.path.description, operations.pathItem($0)) }),
            "components": .members([
                ("parameters", .members(operations.commonParameters.map { ($0.name, OperationWriter.parameter($0)) })),
                ("headers", .members(OperationWriter.commonFields.map { ($0.name, OperationWriter.header($0)) })),
                ("responses", .members(operations.commonResponses)),
                ("schemas", .members(schemas)),
                ("securitySchemes", securitySchemes),
            ]),
        ]
    }

    /// The name of the one way in which callers say who they are.
    static let tokenScheme = "bearer"

    private var securitySchemes: JSONValue? {
        guard resources.flatMap(\.routes).contains(where: \.isGuarded) else { return nil }
        return [
            Self.tokenScheme: [
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "A token (RFC 6750) whose `scope` has what the route names, or `admin`.",
            ]
        ]
    }

    private var groups: [RouteGroup] {
        var groups: [RouteGroup] = []
        for route in resources.flatMap(\.routes) where !groups.contains(route.documentation.group) {
            groups.append(route.documentation.group)
        }
        return groups + [Self.otherMethods]
    }

    private var schemas: [(String, JSONValue?)] {
        let documentations = resources.flatMap(\.routes).map(\.documentation)
        let used = documentations.flatMap { documentation in
            documentation.parameters.map(\.schema) + (documentation.body.map { [$0.schema] } ?? [])
                + documentation.answers.flatMap(\.contents).map(\.schema)
        }
        var schemas: [(String, JSONValue?)] = []
        for definition in (used + [APIError.schema]).flatMap(\.definitions) {
            if let known = schemas.first(where: { $0.0 == definition.name }) {
                precondition(known.1 == definition.json, "\(definition.name) is the name of two schemas")
            } else {
                schemas.append((definition.name, definition.json))
            }
        }
        return schemas
    }

    /// What holds for every answer, in CommonMark.
    private static let rules = """
        Every path also answers under `/v1`, and with a slash at its end. `HEAD` answers like `GET` without the body, \
        `OPTIONS` answers 204 with `Allow`, and `OPTIONS *` with the methods of all paths; a known path with another \
        method is 405 with `Allow`, an unknown path 404.

        Errors have one shape everywhere, `Error` below. Every answer carries `X-Request-Id`.
        """
}

/// What a document says of the service as a whole.
public struct ServiceDescription: Sendable {
    /// The name of the service.
    public let title: String
    /// One sentence.
    public let summary: String
    /// Whether `X-Request-Timeout-Ms` is honoured.
    public let takesDeadlineFromCaller: Bool

    /// Describes a service.
    public init(title: String, summary: String, takesDeadlineFromCaller: Bool) {
        self.title = title
        self.summary = summary
        self.takesDeadlineFromCaller = takesDeadlineFromCaller
    }
}
