/// A request method: a case-sensitive token (RFC 9110 §9.1).
///
/// Methods that nobody registered are kept as they came.
public enum HTTPMethod: Hashable, Sendable, CustomStringConvertible {
    case get, head, post, put, delete, patch, options, trace
    /// Refused by the parser.
    case connect
    /// Any other; made by ``init(rawValue:)``, so that none of those above has two forms.
    case other(String)

    /// Takes any text.
    ///
    /// Text that is not a token is refused by the serializers' preconditions, not here.
    public init(rawValue: String) {
        switch rawValue {
        case "GET": self = .get
        case "HEAD": self = .head
        case "POST": self = .post
        case "PUT": self = .put
        case "DELETE": self = .delete
        case "PATCH": self = .patch
        case "OPTIONS": self = .options
        case "TRACE": self = .trace
        case "CONNECT": self = .connect
        default: self = .other(rawValue)
        }
    }

    /// The longest method accepted, in bytes; the longest registered one (`UPDATEREDIRECTREF`) has 17.
    static let longestBytes = 32

    /// The method that `token` spells.
    init(_ token: Span<UInt8>) {
        // Nearly every request is one of these, and comparing is cheaper than making a `String`.
        if token.count == 3, token[0] == 0x47, token[1] == 0x45, token[2] == 0x54 {
            self = .get
        } else if token.count == 4, token[0] == 0x50, token[1] == 0x4F, token[2] == 0x53, token[3] == 0x54 {
            self = .post
        } else {
            self.init(rawValue: token.text)
        }
    }

    /// The method as it stands in the request line.
    public var rawValue: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .patch: "PATCH"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .other(let text): text
        }
    }

    /// Whether sending the request twice has the effect of sending it once (RFC 9110 §9.2.2), so that it may be
    /// retried.
    public var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .patch, .connect, .other: false
        }
    }

    /// The method, as it stands in the request line.
    public var description: String { rawValue }
}

/// The versions of HTTP that this module speaks.
public enum HTTPVersion: Hashable, Sendable {
    /// HTTP/1.0: connections close after the response unless both sides ask otherwise; no chunked bodies.
    case http10
    /// HTTP/1.1
    case http11
}
