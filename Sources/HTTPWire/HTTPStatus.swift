/// A status code (RFC 9110 §15).
public struct HTTPStatus: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The three-digit code, 100 to 599.
    public let rawValue: UInt16

    /// Traps outside 100...599.
    public init(rawValue: UInt16) {
        precondition((100...599).contains(rawValue), "no such status: \(rawValue)")
        self.rawValue = rawValue
    }

    /// The code as an `Int`, 100 to 599.
    public var code: Int { Int(rawValue) }

    /// Whether the code is 1xx: an interim response, which another one follows.
    public var isInformational: Bool { rawValue < 200 }

    /// Whether a response with this code never has a body (RFC 9110 §6.4.1): 1xx, 204 and 304.
    public var forbidsBody: Bool { rawValue < 200 || rawValue == 204 || rawValue == 304 }

    /// Code and phrase: `404 Not Found`.
    public var description: String { "\(rawValue) \(reason)" }
}

extension HTTPStatus {
    /// 100 Continue.
    public static var `continue`: Self { Self(rawValue: 100) }
    /// 101 Switching Protocols.
    public static var switchingProtocols: Self { Self(rawValue: 101) }
    /// 200 OK.
    public static var ok: Self { Self(rawValue: 200) }
    /// 201 Created.
    public static var created: Self { Self(rawValue: 201) }
    /// 202 Accepted.
    public static var accepted: Self { Self(rawValue: 202) }
    /// 204 No Content.
    public static var noContent: Self { Self(rawValue: 204) }
    /// 206 Partial Content.
    public static var partialContent: Self { Self(rawValue: 206) }
    /// 301 Moved Permanently.
    public static var movedPermanently: Self { Self(rawValue: 301) }
    /// 302 Found.
    public static var found: Self { Self(rawValue: 302) }
    /// 303 See Other.
    public static var seeOther: Self { Self(rawValue: 303) }
    /// 304 Not Modified.
    public static var notModified: Self { Self(rawValue: 304) }
    /// 307 Temporary Redirect.
    public static var temporaryRedirect: Self { Self(rawValue: 307) }
    /// 308 Permanent Redirect.
    public static var permanentRedirect: Self { Self(rawValue: 308) }
    /// 400 Bad Request.
    public static var badRequest: Self { Self(rawValue: 400) }
    /// 401 Unauthorized.
    public static var unauthorized: Self { Self(rawValue: 401) }
    /// 403 Forbidden.
    public static var forbidden: Self { Self(rawValue: 403) }
    /// 404 Not Found.
    public static var notFound: Self { Self(rawValue: 404) }
    /// 405 Method Not Allowed.
    public static var methodNotAllowed: Self { Self(rawValue: 405) }
    /// 406 Not Acceptable.
    public static var notAcceptable: Self { Self(rawValue: 406) }
    /// 408 Request Timeout.
    public static var requestTimeout: Self { Self(rawValue: 408) }
    /// 409 Conflict.
    public static var conflict: Self { Self(rawValue: 409) }
    /// 410 Gone.
    public static var gone: Self { Self(rawValue: 410) }
    /// 411 Length Required.
    public static var lengthRequired: Self { Self(rawValue: 411) }
    /// 412 Precondition Failed.
    public static var preconditionFailed: Self { Self(rawValue: 412) }
    /// 413 Content Too Large.
    public static var contentTooLarge: Self { Self(rawValue: 413) }
    /// 414 URI Too Long.
    public static var uriTooLong: Self { Self(rawValue: 414) }
    /// 415 Unsupported Media Type.
    public static var unsupportedMediaType: Self { Self(rawValue: 415) }
    /// 416 Range Not Satisfiable.
    public static var rangeNotSatisfiable: Self { Self(rawValue: 416) }
    /// 417 Expectation Failed.
    public static var expectationFailed: Self { Self(rawValue: 417) }
    /// 422 Unprocessable Content.
    public static var unprocessableContent: Self { Self(rawValue: 422) }
    /// 426 Upgrade Required.
    public static var upgradeRequired: Self { Self(rawValue: 426) }
    /// 428 Precondition Required.
    public static var preconditionRequired: Self { Self(rawValue: 428) }
    /// 429 Too Many Requests.
    public static var tooManyRequests: Self { Self(rawValue: 429) }
    /// 431 Request Header Fields Too Large.
    public static var requestHeaderFieldsTooLarge: Self { Self(rawValue: 431) }
    /// 500 Internal Server Error.
    public static var internalServerError: Self { Self(rawValue: 500) }
    /// 501 Not Implemented.
    public static var notImplemented: Self { Self(rawValue: 501) }
    /// 502 Bad Gateway.
    public static var badGateway: Self { Self(rawValue: 502) }
    /// 503 Service Unavailable.
    public static var serviceUnavailable: Self { Self(rawValue: 503) }
    /// 504 Gateway Timeout.
    public static var gatewayTimeout: Self { Self(rawValue: 504) }
    /// 505 HTTP Version Not Supported.
    public static var httpVersionNotSupported: Self { Self(rawValue: 505) }
}

extension HTTPStatus {
    /// The phrase of the IANA registry, for people; empty for a code that is not in use.
    public var reason: String {
        switch rawValue {
        case 100: "Continue"
        case 101: "Switching Protocols"
        case 102: "Processing"
        case 103: "Early Hints"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 203: "Non-Authoritative Information"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 423: "Locked"
        case 425: "Too Early"
        case 426: "Upgrade Required"
        case 428: "Precondition Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 451: "Unavailable For Legal Reasons"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 507: "Insufficient Storage"
        default: ""
        }
    }
}
