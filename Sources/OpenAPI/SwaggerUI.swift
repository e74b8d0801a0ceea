internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import WebAPI

/// Swagger UI, the page on which people read the description of a service and try its routes.
///
/// Its own files come from a package (see `etc/fetch-swagger-ui`); the page around them and the script that starts it
/// are ours. All is read once and kept, 1.8 MB together. Nothing comes from another host, and no script is inline, so
/// that the content security policy can forbid both.
public struct SwaggerUI: Sendable {
    /// Where the page is; its files are below.
    static let path: PathTemplate = "/swagger-ui"

    /// The files that are taken from the package.
    private static let packaged = [
        (name: "swagger-ui.css", mediaType: "text/css; charset=utf-8"),
        (name: "swagger-ui-bundle.js", mediaType: "text/javascript; charset=utf-8"),
        (name: "favicon-32x32.png", mediaType: "image/png"),
    ]

    /// No file of the package is larger; 4 MiB.
    private static let longestFileBytes = 4 << 20

    /// The page and everything below it; nil if the package's files are not there.
    private let installed: (page: StaticContent, files: [String: StaticContent])?

    /// Reads the files.
    ///
    /// This blocks, as files do: it is for the start of a process only.
    ///
    /// - Parameters:
    ///   - folder: Where the package's files are.
    ///   - title: Of the page.
    ///   - onMissing: Called with what is wrong if they are not there; then the page answers 404 and says so.
    public init(folder: String, title: String, onMissing: (String) -> Void) {
        var files = [
            "swagger-initializer.js": Self.content(Array(SwaggerPage.script.utf8), "text/javascript; charset=utf-8")
        ]
        do {
            for (name, mediaType) in Self.packaged {
                let bytes = try SmallFile.read("\(folder)/\(name)", atMost: Self.longestFileBytes)
                files[name] = Self.content(bytes, mediaType)
            }
        } catch {
            onMissing(error.description)
            installed = nil
            return
        }
        let page = Self.content(Array(SwaggerPage.html(title: title).utf8), "text/html; charset=utf-8")
        files["index.html"] = page
        installed = (page, files)
    }

    private static func content(_ bytes: [UInt8], _ mediaType: String) -> StaticContent {
        StaticContent(bytes, mediaType: mediaType, fields: [SwaggerPage.policyField: SwaggerPage.policy])
    }

    // MARK: Routes

    /// The routes of the page and its files.
    func routes(alsoAt paths: [PathTemplate]) -> [Route] {
        let page = ([Self.path] + paths).map { path in
            Route(.get, path, Self.pageDocumentation) { context async throws(APIError) in
                guard let installed else { throw .pageMissing }
                return installed.page.response(to: context.head)
            }
        }
        let files = Route(.get, "/swagger-ui/{file}", Self.fileDocumentation) { context async throws(APIError) in
            guard let installed else { throw .pageMissing }
            guard let file = installed.files[context.parameters["file"]] else { throw .notFound }
            return file.response(to: context.head)
        }
        return page + [files]
    }

    private static let fields =
        StaticContent.documentedFields + [
            AnswerField(SwaggerPage.policyField, "What the page may load.", example: .string(SwaggerPage.policy))
        ]

    private static let pageDocumentation = RouteDocumentation(
        "This description as a page, on which the routes can be tried",
        in: DocumentationRoutes.group,
        parameters: StaticContent.documentedParameters,
        answers: [
            .other(["text/html"], "Swagger UI.", fields: fields), StaticContent.documentedRevalidation,
        ],
        errors: [.pageMissing]
    )

    private static let fileDocumentation = RouteDocumentation(
        "The files of the page",
        in: DocumentationRoutes.group,
        parameters: [
            .path(
                "file",
                "The name of the file.",
                .word(packaged.map(\.name) + ["swagger-initializer.js", "index.html"]),
                example: "swagger-initializer.js"
            )
        ] + StaticContent.documentedParameters,
        answers: [
            .other(["text/css", "text/html", "text/javascript", "image/png"], "The file.", fields: fields),
            StaticContent.documentedRevalidation,
        ],
        errors: [.notFound, .pageMissing]
    )
}

extension APIError {
    fileprivate static let pageMissing = APIError(
        .notFound,
        "The files of Swagger UI are not installed here; /openapi.json has the description."
    )
}
