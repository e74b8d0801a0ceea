internal import HTTPServer
internal import HTTPWire
internal import JSONWire

/// Pages with a style sheet and a script of their own, which ask for nothing but this server's own routes.
public enum StaticPage {
    /// The routes of a page: `live` is at `/live`, its style at `/live/live.css`, its script at `/live/live.js`.
    ///
    /// - Parameters:
    ///   - scope: What the token of a caller must allow, where tokens are asked for; nil for what anybody may ask.
    ///   - title: What the browser calls it.
    ///   - summary: What it is, for the OpenAPI document.
    ///   - body: HTML in UTF-8, without what all pages begin and end with.
    ///   - script: May use what `page.js` has for all pages.
    public static func routes(
        _ name: String,
        needs scope: Scope? = .admin,
        title: String,
        _ summary: String,
        in group: RouteGroup,
        body: [UInt8],
        style: [UInt8],
        script: [UInt8]
    ) -> [Route] {
        [
            file("/\(name)", scope, summary, html(name, title, body), "text/html", group),
            file("/\(name)/\(name).css", scope, "How the page looks", style, "text/css", group),
            file(
                "/\(name)/\(name).js",
                scope,
                "What the page does",
                PackageResources.page_js + script,
                "text/javascript",
                group
            ),
        ]
    }

    private static func html(_ name: String, _ title: String, _ body: [UInt8]) -> [UInt8] {
        let head = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(title)</title>
            <link rel="icon" href="data:,">
            <link rel="stylesheet" href="/\(name)/\(name).css">
            <script src="/\(name)/\(name).js" defer></script>
            </head>
            <body>

            """
        return Array(head.utf8) + body + Array("</body>\n</html>\n".utf8)
    }

    private static func file(
        _ path: String,
        _ scope: Scope?,
        _ summary: String,
        _ bytes: [UInt8],
        _ mediaType: String,
        _ group: RouteGroup
    ) -> Route {
        let content = StaticContent(bytes, mediaType: "\(mediaType); charset=utf-8")
        let isPage = mediaType == "text/html"
        let documentation = RouteDocumentation(
            summary,
            in: group,
            parameters: StaticContent.documentedParameters,
            answers: [
                .other(
                    [mediaType],
                    "The file.",
                    fields: isPage ? StaticContent.documentedPageFields : StaticContent.documentedFields
                ),
                StaticContent.documentedRevalidation,
            ]
        )
        return Route(.get, PathTemplate(stringLiteral: path), needs: scope, documentation) { context in
            content.response(to: context.head)
        }
    }
}
