internal import WebAPI

/// `/console`: the page on which operators see and do what the admin listener answers.
enum ConsolePage {
    static var routes: [Route] {
        StaticPage.routes(
            "console",
            title: "Tickloop console",
            "The console, as a page",
            in: .administration,
            body: PackageResources.console_html,
            style: PackageResources.console_css,
            script: PackageResources.console_js
        )
    }
}
