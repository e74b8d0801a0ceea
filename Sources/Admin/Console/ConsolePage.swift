internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import WebAPI

/// `/console`: the page on which operators see and do what the admin listener answers. It asks for nothing from
/// elsewhere.
enum ConsolePage {
    static var routes: [Route] {
        [
            route("/console", "The console, as a page", PackageResources.console_html, "text/html"),
            route("/console/console.css", "How the page looks", PackageResources.console_css, "text/css"),
            route("/console/console.js", "What the page does", PackageResources.console_js, "text/javascript"),
        ]
    }

    /// Everything from this listener and nothing from elsewhere, in no frame, and opened by nobody who could reach in.
    ///
    /// - SeeAlso: W3C Content Security Policy Level 3.
    private static let fields: HTTPFields = [
        "Content-Security-Policy": [
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src data:", "connect-src 'self'",
            "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        ]
        .joined(separator: "; "),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
    ]

    private static func route(
        _ path: PathTemplate,
        _ summary: String,
        _ bytes: [UInt8],
        _ mediaType: String
    ) -> Route {
        let content = StaticContent(bytes, mediaType: "\(mediaType); charset=utf-8", fields: fields)
        let documentation = RouteDocumentation(
            summary,
            in: .administration,
            parameters: StaticContent.documentedParameters,
            answers: [
                .other([mediaType], "The file.", fields: StaticContent.documentedFields),
                StaticContent.documentedRevalidation,
            ]
        )
        return Route(.get, path, documentation) { context in content.response(to: context.head) }
    }
}
