internal import HTTPClient
internal import HTTPWire
internal import Reactor

/// One of those that a route's requests go to, with the connections that all clients share.
@ReactorActor
final class Upstream {
    let url: UpstreamURL
    let client: HTTPClient

    init(_ url: UpstreamURL, of route: ProxyRoute) {
        self.url = url
        var configuration = HTTPClientConfiguration()
        configuration.connectTimeout = route.connectTimeout
        configuration.responseHeadTimeout = route.timeout
        // Shorter than most servers keep theirs, so that it is rarely the upstream that closes first.
        configuration.idleTimeout = .seconds(4)
        configuration.connections = 1024
        configuration.idleConnections = 128
        // Passed on, never kept.
        configuration.responseLimits.bodyBytes = .max
        configuration.responseLimits.headBytes = 64 * 1024
        client = HTTPClient(upstream: url.endpoint, configuration: configuration)
    }
}
