internal import HTTPServer
public import HTTPWire
internal import JSONWire

/// Serves the description of a service: `/openapi.json`, and the page that shows it.
public enum DocumentationRoutes {
    /// Adds the routes that describe a service to those that it has; the description has all of them.
    ///
    /// - Parameters:
    ///   - routes: Those that the service has.
    ///   - limits: Those of the service's server.
    ///   - page: The page; nil for none.
    ///   - pagePaths: Where the page is, besides `/swagger-ui`.
    public static func describing(
        _ service: ServiceDescription,
        _ routes: [Route],
        limits: HTTPLimits,
        page: SwaggerUI?,
        pagePaths: [PathTemplate] = []
    ) -> [Route] {
        // The document describes the very routes that serve it, so they are declared before there is a document.
        let declared = self.routes(serving: StaticContent([], mediaType: "application/json"))
        let pageRoutes = page?.routes(alsoAt: pagePaths) ?? []
        let document = OpenAPIDocument(service, routes: routes + declared + pageRoutes, limits: limits)
        let content = StaticContent(document.json.encoded, mediaType: "application/json")
        return routes + self.routes(serving: content) + pageRoutes
    }

    static let group = RouteGroup("Documentation", "This description, for programs and for people.")

    private static func routes(serving content: StaticContent) -> [Route] {
        let paths: [(PathTemplate, String)] = [
            ("/openapi.json", "This description, in OpenAPI 3.1"),
            ("/api-docs/openapi.json", "The same, where other frameworks have it"),
        ]
        return paths.map { path, summary in
            Route(.get, path, needs: nil, documentation(summary)) { context in content.response(to: context.head) }
        }
    }

    private static func documentation(_ summary: String) -> RouteDocumentation {
        RouteDocumentation(
            summary,
            in: group,
            parameters: StaticContent.documentedParameters,
            answers: [
                .json(
                    .ok,
                    "An OpenAPI document.",
                    fields: StaticContent.documentedFields,
                    .object(
                        [
                            "openapi": .string(pattern: #"^3\.1\.\d+$"#), "info": .object([:], isOpen: true),
                            "paths": .object([:], isOpen: true),
                        ],
                        isOpen: true
                    ),
                    example: nil
                ),
                StaticContent.documentedRevalidation,
            ]
        )
    }
}
