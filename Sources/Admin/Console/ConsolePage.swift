internal import WebAPI

/// `/console`: the page on which operators see and do what the admin listener answers. It asks for nothing from
/// elsewhere.
enum ConsolePage {
    static var routes: [Route] {
        [
            file("/console", "The console, as a page", PackageResources.console_html, "text/html"),
            file("/console/console.css", "How the page looks", PackageResources.console_css, "text/css"),
            file("/console/console.js", "What the page does", PackageResources.console_js, "text/javascript"),
        ]
    }

    private static func file(_ path: PathTemplate, _ summary: String, _ bytes: [UInt8], _ type: String) -> Route {
        StaticPage.file(path, summary, bytes, type, in: .administration)
    }
}
