internal import Prices
internal import WebAPI

/// `/live`: a page on which prices can be watched as they come.
enum LivePage {
    /// The gateway's routes.
    static var routes: [Route] {
        StaticPage.routes(
            "live",
            needs: nil,
            title: "Tickloop live",
            "Prices as they come, as a page",
            in: .prices,
            body: PackageResources.live_html,
            style: PackageResources.live_css,
            script: PackageResources.live_js
        )
    }
}
