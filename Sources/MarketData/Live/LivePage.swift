internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Prices
public import WebAPI

/// `/live`: a page on which prices can be watched as they come. It asks for nothing but this server's own routes.
public enum LivePage {
    /// The gateway's routes.
    public static var routes: [Route] {
        [
            route("/live", "Prices as they come, as a page", PackageResources.live_html, "text/html"),
            route("/live/live.css", "How the page looks", PackageResources.live_css, "text/css"),
            route("/live/live.js", "What the page does", PackageResources.live_js, "text/javascript"),
        ]
    }

    private static let policyField = "Content-Security-Policy"

    /// Everything from this server and nothing from elsewhere.
    ///
    /// - SeeAlso: W3C Content Security Policy Level 3.
    private static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src data:", "connect-src 'self'",
        "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
    ]
    .joined(separator: "; ")

    private static func route(
        _ path: PathTemplate,
        _ summary: String,
        _ bytes: [UInt8],
        _ mediaType: String
    ) -> Route {
        let content = StaticContent(
            bytes,
            mediaType: "\(mediaType); charset=utf-8",
            fields: [policyField: policy]
        )
        return Route(.get, path, documentation(summary, mediaType)) { context in content.response(to: context.head) }
    }

    private static func documentation(_ summary: String, _ mediaType: String) -> RouteDocumentation {
        RouteDocumentation(
            summary,
            in: .prices,
            parameters: StaticContent.documentedParameters,
            answers: [
                .other(
                    [mediaType],
                    "The file.",
                    fields: StaticContent.documentedFields + [
                        AnswerField(policyField, "What the page may load.", example: .string(policy))
                    ]
                ),
                StaticContent.documentedRevalidation,
            ]
        )
    }
}
