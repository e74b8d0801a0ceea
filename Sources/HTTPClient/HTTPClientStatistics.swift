/// What a client has done since it was made; for metrics.
public struct HTTPClientStatistics: Hashable, Sendable {
    /// Requests given to it.
    public var requests = 0
    /// Requests that went out at once on a connection that was there.
    public var reuses = 0
    /// Requests that had to wait for a connection: for one to be made, or to become free.
    public var waits = 0
    /// Requests that were sent once more.
    public var retries = 0
    /// Requests that ended with an error; not those cancelled.
    public var failures = 0
    /// The same by the kind of the error.
    public var failuresByKind: [HTTPClientError.Kind: Int] = [:]
    /// Attempts to connect.
    public var connects = 0
    /// Attempts that failed.
    public var connectFailures = 0
}

/// What a client has in hand at a moment; for metrics.
public struct HTTPClientLoad: Hashable, Sendable {
    /// Connections being made.
    public var connecting: Int
    /// Connections without a request.
    public var idle: Int
    /// Connections with a request.
    public var busy: Int
    /// Requests without a connection.
    public var waiting: Int
}
