internal import Basics
internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Reactor

/// Swagger UI, the page on which people read the description of a service and try its routes.
///
/// Its own files come from a package (see `etc/fetch-swagger-ui`); the page around them and the script that starts it
/// are ours. Nothing comes from another host, and no script is inline, so that the content security policy can forbid
/// both.
public struct SwaggerUI: Sendable {
    /// Where the page is; its files are below.
    static let path: PathTemplate = "/swagger-ui"

    /// The files that are taken from the package.
    private static let packaged = [
        (name: "swagger-ui.css", mediaType: "text/css; charset=utf-8"),
        (name: "swagger-ui-bundle.js", mediaType: "text/javascript; charset=utf-8"),
        (name: "favicon-32x32.png", mediaType: "image/png"),
    ]

    /// The page and everything below it; nil if the package's files are not there.
    private let installed: (page: StaticContent, made: [String: StaticContent], packaged: [String: PackagedFile])?

    /// Looks whether the files are there.
    ///
    /// This blocks, as files do: it is for the start of a process only.
    ///
    /// - Parameters:
    ///   - folder: Where the package's files are.
    ///   - title: Of the page.
    ///   - onMissing: Called with what is wrong if they are not there; then the page answers 404 and says so.
    public init(folder: String, title: String, onMissing: (String) -> Void) {
        var packaged: [String: PackagedFile] = [:]
        var file = folder
        do {
            for (name, mediaType) in Self.packaged {
                file = "\(folder)/\(name)"
                packaged[name] = try PackagedFile(file, mediaType: mediaType)
            }
        } catch {
            onMissing("\(file) \(error)")
            installed = nil
            return
        }
        let page = Self.content(Array(SwaggerPage.html(title: title).utf8), "text/html; charset=utf-8")
        let script = Self.content(Array(SwaggerPage.script.utf8), "text/javascript; charset=utf-8")
        let style = Self.content(Array(SwaggerPage.style.utf8), "text/css; charset=utf-8")
        installed = (page, ["index.html": page, "swagger-initializer.js": script, "page.css": style], packaged)
    }

    fileprivate static func content(_ bytes: [UInt8], _ mediaType: String) -> StaticContent {
        StaticContent(bytes, mediaType: mediaType)
    }

    // MARK: Routes

    /// The routes of the page and its files.
    func routes(alsoAt paths: [PathTemplate]) -> [Route] {
        let page = ([Self.path] + paths).map { path in
            Route(.get, path, needs: nil, Self.pageDocumentation) { context async throws(APIError) in
                guard let installed else { throw .pageMissing }
                return installed.page.response(to: context.head)
            }
        }
        let files = Route(.get, "/swagger-ui/{file}", needs: nil, Self.fileDocumentation) {
            context async throws(APIError) in
            guard let installed else { throw .pageMissing }
            let name = context.parameters["file"]
            if let made = installed.made[name] { return made.response(to: context.head) }
            guard let file = installed.packaged[name] else { throw .notFound }
            guard let content = file.content else { throw .pageMissing }
            return content.response(to: context.head)
        }
        return page + [files]
    }

    private static let pageDocumentation = RouteDocumentation(
        "This description as a page, on which the routes can be tried",
        in: DocumentationRoutes.group,
        parameters: StaticContent.documentedParameters,
        answers: [
            .other(["text/html"], "Swagger UI.", fields: StaticContent.documentedPageFields),
            StaticContent.documentedRevalidation,
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
                .word(packaged.map(\.name) + ["swagger-initializer.js", "page.css", "index.html"]),
                example: "swagger-initializer.js"
            )
        ] + StaticContent.documentedParameters,
        answers: [
            .other(
                ["text/css", "text/html", "text/javascript", "image/png"],
                "The file.",
                fields: StaticContent.documentedFields
            ),
            StaticContent.documentedRevalidation,
        ],
        errors: [.notFound, .pageMissing]
    )
}

/// A file of the package: read when it is first asked for, and then kept.
///
/// Together they are 1.8 MB, which most processes are never asked for. Reading stops the loop for some milliseconds,
/// once, for a page that people look at while they develop.
@ReactorActor
private final class PackagedFile {
    /// No file is larger; 4 MiB.
    nonisolated private static let longestBytes = 4 << 20

    private let path: String
    private let mediaType: String

    /// The file; nil if it has vanished since the start.
    private(set) lazy var content = try? SwaggerUI.content(
        FileContents.bytes(path, atMost: Self.longestBytes),
        mediaType
    )

    /// - Throws: If the file cannot be opened.
    nonisolated init(_ path: String, mediaType: String) throws(FileContents.Failure) {
        try FileContents.check(path, atMost: Self.longestBytes)
        self.path = path
        self.mediaType = mediaType
    }
}

extension APIError {
    fileprivate static let pageMissing = APIError(
        .notFound,
        "The files of Swagger UI are not installed here; /openapi.json has the description."
    )
}
