internal import HTTPWire
internal import Logging
internal import Logs
internal import Reactor
internal import WebAPI

/// Writes the access log, and lines for answers that say something is wrong here.
@ReactorActor
final class AccessRecorder {
    private let logger: Logger
    private var sampled: AccessLog
    /// By route: while the database is away, each order that is sent is answered with the 500 that is promised.
    private var faults: [Int: Reminder] = [:]

    /// - Parameter share: The part of the requests that get a line, from 0 for none to 1 for all.
    init(logger: Logger, share: Double) {
        self.logger = logger
        sampled = AccessLog(logger: logger, share: share)
    }

    func record(_ answered: AnsweredRequest) {
        // A fault of ours is logged whatever the sample; 503 is not one, and under overload would be thousands. Nor is
        // what an upstream says, which is no route of ours.
        if answered.status.rawValue == 500, let resource = answered.context.resource,
            let unsaid = faults[resource, default: Reminder()].isDue(at: Reactor.now)
        {
            logger.error(
                "request failed",
                metadata: [
                    "path": "\(answered.context.head.path)", "request_id": "\(answered.context.identity.requestID)",
                    "reason": "\(answered.context.cause ?? "-")", "unsaid": "\(unsaid)",
                ]
            )
        }
        sampled.record(
            AccessLogEntry(
                method: answered.context.head.method.rawValue,
                path: answered.context.head.path,
                status: answered.status.code,
                duration: answered.duration,
                bytes: answered.bodyBytes,
                requestID: answered.context.identity.requestID.description
            )
        )
    }
}
