internal import Glibc
internal import HTTPServer
internal import Logging

/// Who gets the descriptors of the process: every socket needs one, and those of clients must not be all of them.
enum Descriptors {
    /// Kept for what every process has: the loop, the log, listeners, name servers, a collector.
    private static let spareCount = 64

    /// Raises the soft limit to the hard one. The soft one is for programs that use `select`, which cannot count past
    /// 1023; Debian's default is 1024.
    ///
    /// - Returns: How many there may be now.
    static func raiseLimit() -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return ProcessUsage.descriptorLimit }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(resource, &limit)
        return ProcessUsage.descriptorLimit
    }

    /// How many connections of clients there may be.
    ///
    /// - Parameters:
    ///   - limit: Descriptors of the process.
    ///   - reserved: Those that the service may need for others than its clients.
    /// - Returns: `configured`, or what is left of the limit, and at least a quarter of it.
    static func clientConnections(_ configured: Int, limit: Int, reserved: Int) -> Int {
        min(configured, max(limit - reserved - spareCount, limit / 4, 1))
    }
}

extension HTTPServerConfiguration {
    /// Lowers the limit of connections to what the process has descriptors for, and says so.
    mutating func fit(intoDescriptors limit: Int, reserved: Int, _ logger: Logger) {
        let configured = connectionLimit
        connectionLimit = Descriptors.clientConnections(configured, limit: limit, reserved: reserved)
        guard connectionLimit < configured else { return }
        logger.warning(
            "fewer connections than server.max_connections, because there are too few descriptors (ulimit -n)",
            metadata: [
                "max_connections": "\(configured)", "connections": "\(connectionLimit)", "descriptors": "\(limit)",
            ]
        )
    }
}
