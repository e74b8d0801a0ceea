public import JSONWire

/// Something that a request may carry, declared once: how it is checked, and what its callers may know of it.
///
/// ```swift
/// static let quantity = Field.member("quantity", .wholeNumber(in: 1...1000), "How many.", isRequired: true)
/// ```
public struct Field<Value: Sendable>: Sendable {
    /// What callers may know.
    public let documentation: RouteParameter
    /// Which texts or JSON values are right, and what they become.
    public let rule: FieldRule<Value>

    /// As it stands in the request.
    public var name: String { documentation.name }

    private init(
        _ name: String,
        _ place: RouteParameter.Place,
        _ rule: FieldRule<Value>,
        _ meaning: String,
        _ isRequired: Bool,
        _ example: JSONValue?
    ) {
        documentation = RouteParameter(name, place, meaning, isRequired, rule.schema, example)
        self.rule = rule
    }

    /// A parameter of the query.
    public static func query(
        _ name: String,
        _ rule: FieldRule<Value>,
        _ meaning: String,
        isRequired: Bool = false,
        example: JSONValue
    ) -> Field {
        Field(name, .query, rule, meaning, isRequired, example)
    }

    /// A segment of the path. One that does not follow the rule names nothing: 404.
    public static func path(_ name: String, _ rule: FieldRule<Value>, _ meaning: String, example: JSONValue) -> Field {
        Field(name, .path, rule, meaning, true, example)
    }

    /// A header field of the request; its name in any case.
    public static func header(
        _ name: String,
        _ rule: FieldRule<Value>,
        _ meaning: String,
        isRequired: Bool = false,
        example: JSONValue? = nil
    ) -> Field {
        Field(name, .header, rule, meaning, isRequired, example)
    }

    /// A member of the JSON object in the body. `null` is the same as its absence.
    public static func member(
        _ name: String,
        _ rule: FieldRule<Value>,
        _ meaning: String,
        isRequired: Bool = false,
        example: JSONValue? = nil
    ) -> Field {
        Field(name, .member, rule, meaning, isRequired, example)
    }
}
