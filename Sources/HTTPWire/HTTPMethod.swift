/// A request method: a case-sensitive token (RFC 9110 §9.1).
///
/// Methods that nobody registered are kept as they came.
public struct HTTPMethod: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The method as it stands in the request line.
    public let rawValue: String

    /// Takes any text.
    ///
    /// Text that is not a token is refused by the serializers' preconditions, not here.
    public init(rawValue: String) {
        self.rawValue = rawValue
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
            rawValue = token.text
        }
    }

    /// `GET`.
    public static var get: Self { Self(rawValue: "GET") }
    /// `HEAD`.
    public static var head: Self { Self(rawValue: "HEAD") }
    /// `POST`.
    public static var post: Self { Self(rawValue: "POST") }
    /// `PUT`.
    public static var put: Self { Self(rawValue: "PUT") }
    /// `DELETE`.
    public static var delete: Self { Self(rawValue: "DELETE") }
    /// `PATCH`.
    public static var patch: Self { Self(rawValue: "PATCH") }
    /// `OPTIONS`.
    public static var options: Self { Self(rawValue: "OPTIONS") }
    /// `TRACE`.
    public static var trace: Self { Self(rawValue: "TRACE") }
    /// `CONNECT`, which the parser refuses.
    public static var connect: Self { Self(rawValue: "CONNECT") }

    /// Whether sending the request twice has the effect of sending it once (RFC 9110 §9.2.2), so that it may be
    /// retried.
    public var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        default: false
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
