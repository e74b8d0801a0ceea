internal import Basics
public import HTTPServer
public import HTTPWire
internal import JSONWire

/// Bytes that stay the same while the process runs, such as the files of a page.
///
/// Caches may keep them and ask each time whether they are still current, which costs an answer without a body: a new
/// release of the service is seen at once (RFC 9110 §8.8.3, RFC 9111 §5.2.2.4).
public struct StaticContent: Sendable {
    private let body: [UInt8]
    private let entityTag: String
    private let fields: HTTPFields
    private let revalidationFields: HTTPFields

    /// - Parameter mediaType: What `Content-Type` says. A page (`text/html`) may load and ask what is of this server
    ///   and nothing else; nobody may show it in a frame, and where its links lead, nobody learns where they stood.
    public init(_ body: [UInt8], mediaType: String) {
        self.body = body
        entityTag = "\"\(String(FNV1a.hash(body.span), radix: 16))\""
        revalidationFields = ["ETag": entityTag, "Cache-Control": Self.cacheControl]
        // Browsers shall not take the bytes for something else than we say, nor pages of others for theirs.
        var all: HTTPFields = [
            "Content-Type": mediaType, "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
        ]
        all.append(contentsOf: revalidationFields)
        if mediaType.hasPrefix("text/html") { all.append(contentsOf: Self.pageFields) }
        self.fields = all
    }

    /// The bytes, or 304 if the client has them.
    public func response(to head: RequestHead) -> HTTPResponse {
        if head.fields.isNoneMatch(of: entityTag) { return HTTPResponse(.notModified, fields: revalidationFields) }
        return HTTPResponse(.ok, fields: fields, body: .bytes(body))
    }

    private static let cacheControl = EntityTag.cacheControl

    /// What browsers are told of a page, besides its bytes.
    private static let pageFields: HTTPFields = [
        policyField: policy, "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
    ]
    private static let policyField = "Content-Security-Policy"

    /// Swagger UI's style sheet has its pictures in `data:`. No script and no style is inline.
    ///
    /// - SeeAlso: W3C Content Security Policy Level 3.
    private static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
        "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
    ]
    .joined(separator: "; ")
}

extension StaticContent {
    /// What a client may send to ask whether what it has is current.
    public static let documentedParameters: [RouteParameter] = [
        .header("If-None-Match", "Entity tags of what the client has; if one is current, the answer is 304.")
    ]

    /// The fields of every answer.
    public static let documentedFields = [
        AnswerField("ETag", "Names this version of the content.", example: "\"af63dc4c8601ec8c\""),
        AnswerField("Cache-Control", "May be kept, and must be asked for each time.", example: .string(cacheControl)),
    ]

    /// Those of a page.
    public static let documentedPageFields =
        documentedFields + [
            AnswerField(policyField, "What the page may load.", example: .string(policy))
        ]

    /// The answer to a client that has the content.
    public static let documentedRevalidation = RouteAnswer.empty(
        .notModified,
        "The client has the current version.",
        fields: documentedFields
    )
}
