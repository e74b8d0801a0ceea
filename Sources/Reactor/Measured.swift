package import Metrics

/// What has something to tell when a process's metrics are asked for.
@ReactorActor
package protocol Measured: AnyObject {
    /// Asks for what is not known here; bounds its own time.
    func refresh() async

    /// Adds what is known to the page.
    func collect(into page: inout MetricsPage)
}

extension Measured {
    /// Nothing, where everything is known.
    package func refresh() async {}
}
