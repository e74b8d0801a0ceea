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

    /// - Parameters:
    ///   - mediaType: What `Content-Type` says.
    ///   - fields: Further fields.
    public init(_ body: [UInt8], mediaType: String, fields: HTTPFields = HTTPFields()) {
        self.body = body
        entityTag = "\"\(String(FNV1a.hash(body), radix: 16))\""
        revalidationFields = ["ETag": entityTag, "Cache-Control": Self.cacheControl]
        // Browsers shall not take the bytes for something else than we say.
        var all: HTTPFields = ["Content-Type": mediaType, "X-Content-Type-Options": "nosniff"]
        all.append(contentsOf: revalidationFields)
        all.append(contentsOf: fields)
        self.fields = all
    }

    /// The bytes, or 304 if the client has them.
    public func response(to head: RequestHead) -> HTTPResponse {
        if isKnown(to: head.fields) { return HTTPResponse(.notModified, fields: revalidationFields) }
        return HTTPResponse(.ok, fields: fields, body: .bytes(body))
    }

    /// RFC 9110 §13.1.2: any of the tags, compared weakly.
    private func isKnown(to fields: HTTPFields) -> Bool {
        fields.values("If-None-Match").contains { list in
            list.split(separator: ",").contains { member in
                var tag = member.drop { $0 == " " || $0 == "\t" }
                while let last = tag.last, last == " " || last == "\t" { tag.removeLast() }
                return tag == "*" || (tag.hasPrefix("W/") ? tag.dropFirst(2) : tag) == entityTag
            }
        }
    }

    private static let cacheControl = "no-cache"
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

    /// The answer to a client that has the content.
    public static let documentedRevalidation = RouteAnswer.empty(
        .notModified,
        "The client has the current version.",
        fields: documentedFields
    )
}
