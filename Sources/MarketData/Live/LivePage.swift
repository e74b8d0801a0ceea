internal import Prices
public import WebAPI

/// `/live`: a page on which prices can be watched as they come. It asks for nothing but this server's own routes.
public enum LivePage {
    /// The gateway's routes.
    public static var routes: [Route] {
        [
            file("/live", "Prices as they come, as a page", PackageResources.live_html, "text/html"),
            file("/live/live.css", "How the page looks", PackageResources.live_css, "text/css"),
            file("/live/live.js", "What the page does", PackageResources.live_js, "text/javascript"),
        ]
    }

    private static func file(_ path: PathTemplate, _ summary: String, _ bytes: [UInt8], _ type: String) -> Route {
        StaticPage.file(path, summary, bytes, type, in: .prices)
    }
}
