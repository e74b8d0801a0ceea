internal import Configuration
internal import HTTPServer
internal import HTTPWire

extension HTTPServerConfiguration {
    /// What a service's configuration says about its server.
    init(_ configuration: Configuration) {
        self.init()
        limits = HTTPLimits(
            headBytes: configuration[ServerSettings.headerBytes],
            targetBytes: configuration[ServerSettings.uriBytes],
            bodyBytes: configuration[ServerSettings.bodyBytes]
        )
        connectionLimit = configuration[ServerSettings.maxConnections]
        requestLimit = configuration[ServerSettings.maxRequestsInFlight]
        targetWait = configuration[ServerSettings.targetWait]
        heldLimitBytes = configuration[ServerSettings.heldBytes]
        backlog = configuration[ServerSettings.backlog]
        isPortShared = configuration[ServerSettings.sharePort]
        headTimeout = configuration[ServerSettings.headerTimeout]
        bodyTimeout = configuration[ServerSettings.bodyTimeout]
        keepAliveTimeout = configuration[ServerSettings.idleTimeout]
        writeTimeout = configuration[ServerSettings.writeTimeout]
    }
}
