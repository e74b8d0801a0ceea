public import JSONWire

/// What a JSON value looks like: a schema of JSON Schema 2020-12, which is that of OpenAPI 3.1.
///
/// Only what this product's values need.
public struct Schema: Hashable, Sendable {
    /// A schema that others refer to by name.
    public struct Definition: Hashable, Sendable {
        /// Unique in one document.
        public let name: String
        /// The schema itself.
        public let json: JSONValue
    }

    /// The schema as it is written in a document.
    public let json: JSONValue
    /// The named schemas that it refers to, directly or not.
    public let definitions: [Definition]

    private init(_ members: [(String, JSONValue?)], definitions: [Definition] = []) {
        json = .members(members)
        self.definitions = definitions
    }

    // MARK: Texts

    /// A text.
    ///
    /// - Parameters:
    ///   - format: A name of JSON Schema's registry of formats, such as `uuid`.
    ///   - pattern: A regular expression that the text matches.
    ///   - length: How many characters it has.
    public static func string(
        format: String? = nil,
        pattern: String? = nil,
        length: ClosedRange<Int>? = nil
    ) -> Schema {
        Schema([
            ("type", "string"), ("format", format.map { .string($0) }), ("pattern", pattern.map { .string($0) }),
            ("minLength", length.map { .integer($0.lowerBound) }),
            ("maxLength", length.map { .integer($0.upperBound) }),
        ])
    }

    /// One of some words.
    public static func word(_ words: [String]) -> Schema {
        Schema([("type", "string"), ("enum", .array(words.map { .string($0) }))])
    }

    /// A moment of RFC 3339 in UTC.
    public static let timestamp = Schema.string(format: "date-time", pattern: "Z$")

    // MARK: Others

    /// A number.
    public static let number = Schema([("type", "number")])

    /// A number in a range, all of them texts of JSON numbers.
    ///
    /// - Parameter step: What it is a multiple of.
    public static func number(from least: String, to most: String, stepping step: String) -> Schema {
        Schema([
            ("type", "number"), ("minimum", .number(least)), ("maximum", .number(most)), ("multipleOf", .number(step)),
        ])
    }

    /// `true` or `false`.
    public static let flag = Schema([("type", "boolean")])

    /// A whole number.
    public static func integer(in range: ClosedRange<Int>) -> Schema {
        Schema([
            ("type", "integer"), ("minimum", .integer(range.lowerBound)), ("maximum", .integer(range.upperBound)),
        ])
    }

    /// Any value.
    public static let anything = Schema([])

    /// A list.
    ///
    /// - Parameter count: How many elements it has.
    public static func array(of element: Schema, count: ClosedRange<Int>? = nil) -> Schema {
        Schema(
            [
                ("type", "array"), ("items", element.json),
                ("minItems", count.flatMap { $0.lowerBound > 0 ? .integer($0.lowerBound) : nil }),
                ("maxItems", count.flatMap { $0.upperBound < .max ? .integer($0.upperBound) : nil }),
            ],
            definitions: element.definitions
        )
    }

    /// An object with these members.
    ///
    /// - Parameters:
    ///   - optional: The members that may be absent.
    ///   - isOpen: Whether there may be others.
    public static func object(
        _ members: KeyValuePairs<String, Schema>,
        optional: Set<String> = [],
        isOpen: Bool = false
    ) -> Schema {
        object(members.map { ($0.key, $0.value) }, optional: optional, isOpen: isOpen)
    }

    /// An object with these members.
    static func object(
        _ members: [(name: String, schema: Schema)],
        optional: Set<String>,
        isOpen: Bool = false
    ) -> Schema {
        let required = members.map(\.name).filter { !optional.contains($0) }
        return Schema(
            [
                ("type", "object"),
                ("required", required.isEmpty ? nil : .array(required.map { .string($0) })),
                ("properties", members.isEmpty ? nil : .members(members.map { ($0.name, $0.schema.json) })),
                ("additionalProperties", isOpen ? nil : false),
            ],
            definitions: members.flatMap(\.schema.definitions)
        )
    }

    // MARK: Composition

    /// This schema under a name, so that a document describes it once.
    public func named(_ name: String) -> Schema {
        Schema(
            [("$ref", .string("#/components/schemas/\(name)"))],
            definitions: definitions + [Definition(name: name, json: json)]
        )
    }

    /// This schema with words about it, in CommonMark.
    public func described(_ meaning: String) -> Schema {
        let members = (json.object?.members ?? []).map { ($0.name, Optional($0.value)) }
        return Schema(members + [("description", .string(meaning))], definitions: definitions)
    }

    /// What one of some schemas describes.
    public static func any(of schemas: [Schema]) -> Schema {
        Schema([("anyOf", .array(schemas.map(\.json)))], definitions: schemas.flatMap(\.definitions))
    }

    /// This schema, or `null`.
    public var orNull: Schema {
        Schema([("anyOf", [json, ["type": "null"]])], definitions: definitions)
    }

    /// This schema with a member of its values narrowed down.
    public func with(_ member: String, _ schema: Schema) -> Schema {
        Schema(
            [("allOf", [json, .members([("properties", .members([(member, schema.json)]))])])],
            definitions: definitions + schema.definitions
        )
    }
}

extension JSONValue {
    /// An object of those members that have a value.
    public static func members(_ members: [(String, JSONValue?)]) -> JSONValue {
        .object(
            JSONObject(members.compactMap { name, value in value.map { JSONObject.Member(name: name, value: $0) } })
        )
    }
}
