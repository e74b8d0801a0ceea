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
    case headersTooLarge = "HEADERS_TOO_LARGE"
    case idempotencyConflict = "IDEMPOTENCY_CONFLICT"
    case validationFailed = "VALIDATION_FAILED"
    case rateLimited = "RATE_LIMITED"
    case internalError = "INTERNAL_ERROR"
    case upstreamError = "UPSTREAM_ERROR"
    case overloaded = "OVERLOADED"
    case unavailable = "UNAVAILABLE"
    case upstreamTimeout = "UPSTREAM_TIMEOUT"

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
        case .headersTooLarge: .requestHeaderFieldsTooLarge
        case .idempotencyConflict: .conflict
        case .validationFailed: .unprocessableContent
        case .rateLimited: .tooManyRequests
        case .internalError: .internalServerError
        case .upstreamError: .badGateway
        case .overloaded, .unavailable: .serviceUnavailable
        case .upstreamTimeout: .gatewayTimeout
        }
    }
}
