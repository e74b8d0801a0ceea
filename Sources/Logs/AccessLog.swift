public import Logging

/// One answered request, as the access log shows it.
public struct AccessLogEntry: Sendable {
    var method: String
    /// The path without the query, in which there may be what nobody should read.
    var path: String
    var status: Int
    /// From the first byte of the request to the last byte of the response.
    var duration: Duration
    /// Bytes of the response's body.
    var bytes: Int
    /// What ties the request to the lines of other services.
    var requestID: String

    /// Describes an answered request.
    public init(method: String, path: String, status: Int, duration: Duration, bytes: Int, requestID: String) {
        self.method = method
        self.path = path
        self.status = status
        self.duration = duration
        self.bytes = bytes
        self.requestID = requestID
    }
}

/// Writes a line for a share of the requests.
///
/// The share is exact and spread evenly: with 0.25, every fourth request has a line.
public struct AccessLog: Sendable {
    private let logger: Logger
    /// From 0 for none to 1 for all.
    private let share: Double
    /// What is owed to the next request; a line is due when it reaches 1.
    private var owed = 0.0

    /// Makes an access log.
    ///
    /// - Parameter share: The part of the requests that get a line, from 0 for none to 1 for all.
    public init(logger: Logger, share: Double) {
        precondition((0...1).contains(share), "a share of \(share) is outside 0...1")
        self.logger = logger
        self.share = share
    }

    /// Notes a request; the entry is only made when it gets a line.
    public mutating func record(_ entry: @autoclosure () -> AccessLogEntry) {
        owed += share
        guard owed >= 1 else { return }
        owed -= 1
        let entry = entry()
        let microseconds = (entry.duration / .microseconds(1)).rounded()
        logger.info(
            "request",
            metadata: [
                "method": .string(entry.method),
                "path": .string(entry.path),
                "status": .stringConvertible(entry.status),
                "seconds": .stringConvertible(microseconds / 1e6),
                "bytes": .stringConvertible(entry.bytes),
                "request_id": .string(entry.requestID),
            ]
        )
    }
}
