internal import HTTPClient
internal import HTTPWire
internal import JSONWire

/// What a collector's answer means for the spans that were sent. Pure.
///
/// - SeeAlso: OpenTelemetry Protocol 1.5, "OTLP/HTTP Response".
enum ExportVerdict: Hashable {
    /// It has them, but for some that it will never take.
    case accepted(rejected: Int, reason: String)
    /// It may take them later; not before the given time, if it says so.
    case retry(reason: String, after: Duration?)
    /// It will never take them.
    case refused(reason: String)

    /// Only these may be sent again; OTLP's table of retryable codes.
    private static let retryable: Set<Int> = [429, 502, 503, 504]

    /// Reads an answer.
    init(status: Int, retryAfter: String?, body: [UInt8]) {
        switch status {
        case 200..<300:
            let (rejected, reason) = Self.partialSuccess(body)
            self = .accepted(rejected: rejected, reason: reason)
        case _ where Self.retryable.contains(status):
            // The form with a date is for caches; what collectors send is seconds.
            let seconds = retryAfter.flatMap { Int($0) }.map { min(max($0, 0), 3600) }
            self = .retry(reason: "status \(status)", after: seconds.map { .seconds($0) })
        default:
            self = .refused(reason: "status \(status)")
        }
    }

    /// There was no answer. A span that arrives twice is known by its id, so it is right to send it again.
    init(_ error: HTTPClientError) {
        switch error {
        case .malformedResponse, .responseTooLarge: self = .refused(reason: "\(error)")
        default: self = .retry(reason: "\(error)", after: nil)
        }
    }

    /// `{"partialSuccess":{"rejectedSpans":"3","errorMessage":"…"}}`; whatever else a success says is of no interest.
    private static func partialSuccess(_ body: [UInt8]) -> (rejected: Int, reason: String) {
        guard let answer = try? JSONValue(parsing: body, limits: JSONLimits(bytes: 64 * 1024)),
            let partial = answer["partialSuccess"]
        else { return (0, "") }
        let count = partial["rejectedSpans"]?.integer ?? partial["rejectedSpans"]?.string.flatMap { Int($0) } ?? 0
        return (max(0, count), String((partial["errorMessage"]?.string ?? "").prefix(200)))
    }
}
