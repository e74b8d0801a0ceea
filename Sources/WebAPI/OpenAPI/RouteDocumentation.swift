public import HTTPWire
public import JSONWire

/// What callers may know of a route: the part of its declaration that `/openapi.json` is made from.
///
/// ```swift
/// RouteDocumentation(
///     "Whether the process is alive",
///     in: .operations,
///     answers: [.json(.ok, "It is.", .object(["status": .word(["ok"])]), example: ["status": "ok"])]
/// )
/// ```
///
/// What every route has in common is not said again: the fields of ``WebService/fieldsOfAnyAnswer``, the errors of
/// ``WebService/errorsOfAnyRequest(limits:)``, and that it also answers to HEAD and OPTIONS.
///
/// A class, so that a route that is looked up for a request is no larger for being documented.
public final class RouteDocumentation: Sendable {
    /// One line: what the route is for.
    public let summary: String
    /// What else there is to know, in CommonMark; may be empty.
    public let details: String
    /// Among which others it is shown.
    public let group: RouteGroup
    /// What a request may carry, besides what any may.
    public let parameters: [RouteParameter]
    /// The body that a request must have; nil for none. Only where there is one are its bytes read.
    public let body: RequestBody?
    /// The answers that are no errors.
    public let answers: [RouteAnswer]
    /// The errors that the route may answer with, each with the words of an example. A code may be there repeatedly.
    public let errors: [APIError]

    /// Documents a route.
    public init(
        _ summary: String,
        details: String = "",
        in group: RouteGroup,
        parameters: [RouteParameter] = [],
        body: RequestBody? = nil,
        answers: [RouteAnswer],
        errors: [APIError] = []
    ) {
        precondition(parameters.allSatisfy { $0.place != .member }, "members stand in the body")
        precondition(!answers.isEmpty, "a route answers something")
        precondition(Set(answers.map(\.status)).count == answers.count, "one answer for each status")
        self.summary = summary
        self.details = details
        self.group = group
        self.parameters = parameters
        self.body = body
        self.answers = answers
        self.errors = errors + (body == nil ? [] : RequestBody.errors.filter { !errors.contains($0) })
    }
}

/// The body that the requests of a route have: one JSON object.
public struct RequestBody: Sendable {
    /// Most bytes that are read; a longer body is refused with 413.
    public let limitBytes: Int
    /// What the object looks like.
    public let schema: Schema
    /// Bodies that can be tried at once.
    public let examples: [JSONValue]

    /// An object of some members.
    ///
    /// - Parameters:
    ///   - name: Of its schema.
    ///   - members: Those that it may have; there are no others.
    ///   - examples: Bodies; one of the members' own examples if there are none.
    public static func json(
        _ name: String,
        _ members: [RouteParameter],
        examples: [JSONValue] = [],
        limitBytes: Int = 64 * 1024
    ) -> RequestBody {
        precondition(members.allSatisfy { $0.place == .member }, "a body has members")
        let schema = Schema.object(
            members.map { ($0.name, $0.isRequired ? $0.schema.described($0.meaning) : $0.nullableSchema) },
            optional: Set(members.filter { !$0.isRequired }.map(\.name))
        )
        let whole = JSONValue.members(members.map { ($0.name, $0.example) })
        return RequestBody(
            limitBytes: limitBytes,
            schema: schema.named(name),
            examples: examples.isEmpty ? [whole] : examples
        )
    }

    /// What is answered to a body that cannot be read as an object.
    static let errors: [APIError] = [.malformedJSON("unexpected byte at byte 0"), .unsupportedMediaType]
}

/// Routes that are shown together.
public struct RouteGroup: Hashable, Sendable {
    /// A word or two.
    public let name: String
    /// One sentence.
    public let meaning: String

    /// Makes a group.
    public init(_ name: String, _ meaning: String) {
        self.name = name
        self.meaning = meaning
    }

    /// What operators and orchestrators ask.
    public static let operations = RouteGroup("Operations", "What operators, orchestrators and monitoring ask.")
}

/// Something that a request may carry.
public struct RouteParameter: Sendable {
    /// Where it stands.
    public enum Place: String, Sendable {
        case query, path, header
        /// Of the JSON object in the body.
        case member
    }

    /// As it stands in the request.
    public let name: String
    /// Where it stands.
    public let place: Place
    /// What it says, in CommonMark.
    public let meaning: String
    /// Whether there is no answer without it.
    public let isRequired: Bool
    /// What it looks like.
    public let schema: Schema
    /// A value that can be tried at once.
    public let example: JSONValue?

    init(
        _ name: String,
        _ place: Place,
        _ meaning: String,
        _ isRequired: Bool,
        _ schema: Schema,
        _ example: JSONValue?
    ) {
        self.name = name
        self.place = place
        self.meaning = meaning
        self.isRequired = isRequired
        self.schema = schema
        self.example = example
    }

    /// The schema of a member that may be absent.
    fileprivate var nullableSchema: Schema { schema.orNull.described("\(meaning) `null` is the same as its absence.") }

    /// A parameter of the query.
    public static func query(
        _ name: String,
        _ meaning: String,
        isRequired: Bool = false,
        _ schema: Schema,
        example: JSONValue
    ) -> RouteParameter {
        RouteParameter(name, .query, meaning, isRequired, schema, example)
    }

    /// A segment of the path.
    public static func path(_ name: String, _ meaning: String, _ schema: Schema, example: JSONValue) -> RouteParameter {
        RouteParameter(name, .path, meaning, true, schema, example)
    }

    /// A header field that a client may send.
    public static func header(_ name: String, _ meaning: String, _ schema: Schema = .string()) -> RouteParameter {
        RouteParameter(name, .header, meaning, false, schema, nil)
    }
}

/// One way in which a route answers a request that is in order.
public struct RouteAnswer: Sendable {
    /// What the body holds.
    public struct Content: Sendable {
        /// The media type, as `Content-Type` has it without its parameters.
        public let mediaType: String
        /// What the body looks like.
        public let schema: Schema
        /// A body.
        public let example: JSONValue?
    }

    /// The status that callers tell the answer by.
    public let status: HTTPStatus
    /// When it comes, in CommonMark.
    public let meaning: String
    /// Fields that it carries, besides those that any answer has.
    public let fields: [AnswerField]
    /// The body, by media type; empty for none.
    public let contents: [Content]

    /// The same answer with more fields.
    func adding(_ more: [AnswerField]) -> RouteAnswer {
        RouteAnswer(status: status, meaning: meaning, fields: fields + more, contents: contents)
    }

    /// An answer without a body.
    public static func empty(_ status: HTTPStatus, _ meaning: String, fields: [AnswerField] = []) -> RouteAnswer {
        RouteAnswer(status: status, meaning: meaning, fields: fields, contents: [])
    }

    /// An answer in JSON.
    public static func json(
        _ status: HTTPStatus,
        _ meaning: String,
        fields: [AnswerField] = [],
        _ schema: Schema,
        example: JSONValue?
    ) -> RouteAnswer {
        let content = Content(mediaType: "application/json", schema: schema, example: example)
        return RouteAnswer(status: status, meaning: meaning, fields: fields, contents: [content])
    }

    /// 200 with a body that is not JSON, in one of some media types.
    public static func other(
        _ mediaTypes: [String],
        _ meaning: String,
        fields: [AnswerField] = [],
        example: String? = nil
    ) -> RouteAnswer {
        let contents = mediaTypes.map { mediaType in
            Content(
                mediaType: mediaType,
                schema: mediaType.hasPrefix("text/") ? .string() : .anything,
                example: example.map { .string($0) }
            )
        }
        return RouteAnswer(status: .ok, meaning: meaning, fields: fields, contents: contents)
    }
}

/// A header field of an answer.
public struct AnswerField: Sendable {
    /// As it is written in an answer: `Retry-After`.
    public let name: String
    /// What it says, in CommonMark.
    public let meaning: String
    /// What its value looks like.
    public let schema: Schema
    /// A value that an answer may have; the OpenAPI document shows it.
    public let example: JSONValue
    /// Whether each of these answers carries it.
    public let isAlwaysThere: Bool

    /// Describes a field.
    public init(
        _ name: String,
        _ meaning: String,
        _ schema: Schema = .string(),
        example: JSONValue,
        isAlwaysThere: Bool = true
    ) {
        self.name = name
        self.meaning = meaning
        self.schema = schema
        self.example = example
        self.isAlwaysThere = isAlwaysThere
    }

    /// With every 503.
    public static let retryAfter = AnswerField(
        "Retry-After",
        "The seconds after which it makes sense to try again.",
        .integer(in: 1...3600),
        example: 1
    )

    /// With every 405 and every answer to OPTIONS.
    public static let allow = AnswerField(
        "Allow",
        "The methods that the path answers to.",
        example: "GET, HEAD, OPTIONS"
    )
}
