public import WebAPI

/// `/statistics`: a page that shows what the proxy carries, as it does. It asks for nothing but this server's own
/// routes.
public enum StatisticsPage {
    /// The gateway's routes.
    public static var routes: [Route] {
        [
            file("/statistics", "What the proxy carries, as a page", PackageResources.statistics_html, "text/html"),
            file("/statistics/statistics.css", "How the page looks", PackageResources.statistics_css, "text/css"),
            file("/statistics/statistics.js", "What the page does", PackageResources.statistics_js, "text/javascript"),
        ]
    }

    private static func file(_ path: PathTemplate, _ summary: String, _ bytes: [UInt8], _ type: String) -> Route {
        StaticPage.file(path, summary, bytes, type, in: .statistics)
    }
}
