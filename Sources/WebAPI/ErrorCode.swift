public import HTTPWire

/// Every code that an error answer can carry: a closed enumeration that clients may rely on.
///
/// A code never changes its meaning or its status.
public enum ErrorCode: String, CaseIterable, Sendable {
    case missingParameter = "MISSING_PARAMETER"
    case invalidDate = "INVALID_DATE"
    case invalidDateRange = "INVALID_DATE_RANGE"
    case invalidParameter = "INVALID_PARAMETER"
    case unknownParameter = "UNKNOWN_PARAMETER"
    case malformedJSON = "MALFORMED_JSON"
    case malformedRequest = "MALFORMED_REQUEST"
    case unauthenticated = "UNAUTHENTICATED"
    case forbidden = "FORBIDDEN"
    case notFound = "NOT_FOUND"
    case methodNotAllowed = "METHOD_NOT_ALLOWED"
    case requestTimeout = "REQUEST_TIMEOUT"
    case payloadTooLarge = "PAYLOAD_TOO_LARGE"
    case uriTooLong = "URI_TOO_LONG"
    case unsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
    case expectationFailed = "EXPECTATION_FAILED"
    case headersTooLarge = "HEADERS_TOO_LARGE"
    case idempotencyConflict = "IDEMPOTENCY_CONFLICT"
    case orderAlreadySent = "ORDER_ALREADY_SENT"
    case validationFailed = "VALIDATION_FAILED"
    case rateLimited = "RATE_LIMITED"
    case internalError = "INTERNAL_ERROR"
    case upstreamError = "UPSTREAM_ERROR"
    case overloaded = "OVERLOADED"
    case unavailable = "UNAVAILABLE"
    case upstreamTimeout = "UPSTREAM_TIMEOUT"
    case httpVersionNotSupported = "HTTP_VERSION_NOT_SUPPORTED"

    /// The status that goes with the code.
    public var status: HTTPStatus {
        switch self {
        case .missingParameter, .invalidDate, .invalidDateRange, .invalidParameter, .unknownParameter, .malformedJSON,
            .malformedRequest:
            .badRequest
        case .unauthenticated: .unauthorized
        case .forbidden: .forbidden
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .requestTimeout: .requestTimeout
        case .payloadTooLarge: .contentTooLarge
        case .uriTooLong: .uriTooLong
        case .unsupportedMediaType: .unsupportedMediaType
        case .expectationFailed: .expectationFailed
        case .headersTooLarge: .requestHeaderFieldsTooLarge
        case .idempotencyConflict, .orderAlreadySent: .conflict
        case .validationFailed: .unprocessableContent
        case .rateLimited: .tooManyRequests
        case .internalError: .internalServerError
        case .upstreamError: .badGateway
        case .overloaded, .unavailable: .serviceUnavailable
        case .upstreamTimeout: .gatewayTimeout
        case .httpVersionNotSupported: .httpVersionNotSupported
        }
    }

    /// When the code is used, for people, as a sentence in CommonMark.
    public var meaning: String {
        switch self {
        case .missingParameter: "A parameter that is required is absent or empty."
        case .invalidDate: "A parameter is not a calendar date in the form `YYYY-MM-DD`."
        case .invalidDateRange: "A range of dates is in the wrong order or too long."
        case .invalidParameter: "A parameter is given twice, is broken, or has a value that is none of its kind."
        case .unknownParameter: "The route has no parameter of this name."
        case .malformedJSON: "The body is not JSON."
        case .malformedRequest: "The message is not HTTP, or could be understood in two ways."
        case .unauthenticated: "Who asks is not known."
        case .forbidden: "Who asks may not do this."
        case .notFound: "There is nothing at this path, or nothing of this id."
        case .methodNotAllowed: "The path answers to other methods, which `Allow` names."
        case .requestTimeout: "The request did not arrive in time."
        case .payloadTooLarge: "The body is larger than the service takes."
        case .uriTooLong: "The request target is longer than the service takes."
        case .unsupportedMediaType: "The body is of another media type than the route takes."
        case .expectationFailed: "`Expect` asks for something other than `100-continue`."
        case .headersTooLarge: "The header section is larger than the service takes."
        case .idempotencyConflict: "The first request with this idempotency key is still being worked on."
        case .orderAlreadySent: "The order was sent to the exchange, or may have been."
        case .validationFailed: "The body is well-formed and its content is wrong."
        case .rateLimited: "Too many requests from here; `Retry-After` says how long to wait."
        case .internalError: "A fault of this service."
        case .upstreamError: "The service behind this one could not be reached, or did not answer properly."
        case .overloaded: "The service is at one of its limits."
        case .unavailable: "A part that the answer needs is away."
        case .upstreamTimeout: "No answer arrived within the request's deadline."
        case .httpVersionNotSupported: "The message is of a major version of HTTP other than 1."
        }
    }
}
