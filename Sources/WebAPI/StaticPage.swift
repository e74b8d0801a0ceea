internal import HTTPServer
internal import HTTPWire
internal import JSONWire

/// The files of a page that asks for nothing but this server's own routes.
public enum StaticPage {
    /// The route of one file.
    ///
    /// - Parameter mediaType: Of UTF-8 text.
    public static func file(
        _ path: PathTemplate,
        _ summary: String,
        _ bytes: [UInt8],
        _ mediaType: String,
        in group: RouteGroup
    ) -> Route {
        let content = StaticContent(bytes, mediaType: "\(mediaType); charset=utf-8")
        return Route(.get, path, documentation(summary, mediaType, group)) { context in
            content.response(to: context.head)
        }
    }

    private static func documentation(
        _ summary: String,
        _ mediaType: String,
        _ group: RouteGroup
    ) -> RouteDocumentation {
        RouteDocumentation(
            summary,
            in: group,
            parameters: StaticContent.documentedParameters,
            answers: [
                .other(
                    [mediaType],
                    "The file.",
                    fields: mediaType == "text/html"
                        ? StaticContent.documentedPageFields : StaticContent.documentedFields
                ),
                StaticContent.documentedRevalidation,
            ]
        )
    }
}
