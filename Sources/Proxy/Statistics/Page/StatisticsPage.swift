internal import WebAPI

/// `/statistics`: a page that shows what the proxy carries, as it does.
enum StatisticsPage {
    /// The gateway's routes.
    static var routes: [Route] {
        StaticPage.routes(
            "statistics",
            needs: nil,
            title: "Tickloop statistics",
            "What the proxy carries, as a page",
            in: .statistics,
            body: PackageResources.statistics_html,
            style: PackageResources.statistics_css,
            script: PackageResources.statistics_js
        )
    }
}
