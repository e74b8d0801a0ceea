public import HTTPServer
public import HTTPWire
internal import JSONWire

/// An error answer, in the one shape that errors have everywhere.
///
/// ```json
/// {"code":"INVALID_DATE","message":"…","details":[{"field":"start_date","message":"…"}]}
/// ```
///
/// Whatever is in it goes to the client, so its words are written for clients: never SQL, host names or causes.
public struct APIError: Error, Hashable, Sendable {
    /// What is wrong with one field or parameter.
    public struct Detail: Hashable, Sendable {
        /// The name of the parameter or JSON member.
        public let field: String
        /// One sentence for a person.
        public let message: String

        /// Makes a detail.
        public init(field: String, message: String) {
            self.field = field
            self.message = message
        }
    }

    /// One sentence for a person.
    public let message: String
    /// Every field at fault; empty where no field is.
    public let details: [Detail]
    /// At most one. Small, as is the next: each `async` function on the way keeps room for an error, and with a few
    /// bytes more the task of every request allocated once more.
    private var causes: [String] = []
    private let retryAfter: Int32?
    /// The machine-readable part.
    public let code: ErrorCode

    /// For `Retry-After`: when it makes sense to try again. Always set for 503.
    public var retryAfterSeconds: Int? { retryAfter.map { Int($0) } }
    /// Of a fault of ours, for the log; the client is not told.
    public var cause: String? { causes.first }

    /// Makes an error; a 503 without a `retryAfterSeconds` gets 1.
    public init(_ code: ErrorCode, _ message: String, details: [Detail] = [], retryAfterSeconds: Int? = nil) {
        self.code = code
        self.message = message
        self.details = details
        retryAfter = retryAfterSeconds.map { Int32(clamping: $0) } ?? (code.status == .serviceUnavailable ? 1 : nil)
    }

    /// The answer to a message that could not be read as an HTTP request.
    public init(_ error: HTTPParseError) {
        let code: ErrorCode =
            switch error.status {
            case .contentTooLarge: .payloadTooLarge
            case .uriTooLong: .uriTooLong
            case .requestHeaderFieldsTooLarge: .headersTooLarge
            case .expectationFailed: .expectationFailed
            case .httpVersionNotSupported: .httpVersionNotSupported
            default: .malformedRequest
            }
        self.init(code, "\(error).")
    }

    /// The answer to what never reached a handler, or got no answer from one.
    public init(_ refusal: HTTPRefusal) {
        switch refusal {
        case .malformed(let error): self.init(error)
        case .headTimedOut, .bodyTimedOut: self = .requestTimeout
        case .overloaded: self = .overloaded
        case .unanswered: self = .internalError
        }
    }

    /// The same error, with what the log is to say of it.
    public func caused(by cause: String) -> APIError {
        var error = self
        error.causes = [cause]
        return error
    }

    /// The answer's body.
    public var body: [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.object { writer in
            writer.member("code", code.rawValue)
            writer.member("message", message)
            guard !details.isEmpty else { return }
            writer.key("details")
            writer.array { writer in
                for fault in details {
                    writer.object { writer in
                        writer.member("field", fault.field)
                        writer.member("message", fault.message)
                    }
                }
            }
        }
        return writer.take()
    }

    /// 500, for a fault of ours whose cause is in the log only.
    public static let internalError = APIError(.internalError, "Something went wrong on our side.")
    /// 404 for a path or an id that is not there.
    public static let notFound = APIError(.notFound, "There is nothing at this path.")
    /// 503, past a bound of this service.
    public static let overloaded = APIError(.overloaded, "The service is at its limit; try again shortly.")
    /// 503, while a part that the answer needs is away.
    public static let unavailable = APIError(.unavailable, "A part of the service is not available; try again shortly.")
    /// 504, no answer within the request's deadline.
    public static let upstreamTimeout = APIError(.upstreamTimeout, "No answer arrived in time.")
    /// 502, the next hop could not be reached, or answered an error or nonsense.
    public static let upstreamError = APIError(.upstreamError, "The service behind this one did not answer properly.")
    /// 408, the client took too long to send its request.
    public static let requestTimeout = APIError(.requestTimeout, "The request did not arrive in time.")
}

extension APIError {
    /// What every error looks like.
    public static let schema = Schema.object(
        [
            "code": .word(ErrorCode.allCases.map(\.rawValue)).described("Never changes its meaning."),
            "message": .string(length: 1...4096).described("One sentence for a person."),
            "details": .array(of: .object(["field": .string(), "message": .string()]), count: 1...Int.max)
                .described("Every field at fault; absent where none is."),
        ],
        optional: ["details"]
    )
    .described("What every error looks like.\n\n| status | code | when |\n|---|---|---|\n\(codeRows)")
    .named("Error")

    private static var codeRows: String {
        ErrorCode.allCases.map { "| \($0.status.code) | `\($0.rawValue)` | \($0.meaning) |" }.joined(separator: "\n")
    }
}
