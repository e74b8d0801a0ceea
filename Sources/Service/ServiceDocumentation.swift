internal import Configuration
internal import HTTPServer
internal import Logging
public import WebAPI

/// How a service describes itself, at `/openapi.json` and on the page at `/swagger-ui`.
public struct ServiceDocumentation: Sendable {
    let title: String
    let summary: String
    let pagePaths: [PathTemplate]

    /// - Parameters:
    ///   - title: The name of the service.
    ///   - summary: One sentence.
    ///   - pagePaths: Where the page is, besides `/swagger-ui`.
    public init(title: String, summary: String, pagePaths: [PathTemplate] = []) {
        self.title = title
        self.summary = summary
        self.pagePaths = pagePaths
    }

    /// Adds the routes that describe a service to those that it has.
    func describing(_ routes: [Route], of service: RunningService, _ configuration: Configuration, _ logger: Logger)
        -> [Route]
    {
        DocumentationRoutes.describing(
            ServiceDescription(
                title: title,
                summary: summary,
                takesDeadlineFromCaller: service.takesDeadlineFromCaller
            ),
            routes,
            limits: configuration[ServerSettings.table].http.limits,
            page: DocumentationSettings.folder(configuration).map { folder in
                SwaggerUI(folder: folder, title: title) { reason in
                    logger.warning("no Swagger UI", metadata: ["reason": "\(reason)"])
                }
            },
            pagePaths: pagePaths
        )
    }
}
