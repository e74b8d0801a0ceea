public import JSONWire

/// What a client that returns to a stream says of the last event that it has.
///
/// Browsers send the header by themselves when they connect again, but a page that opens a stream cannot set it: so
/// there is the parameter. The header counts where both are, because it is the newer.
public struct LastEventID<Value: Sendable>: Sendable {
    private let header: Field<Value>
    private let parameter: Field<Value>

    /// Declares both.
    public init(_ rule: FieldRule<Value>, example: JSONValue) {
        header = .header(
            "Last-Event-ID",
            rule,
            "The `id` of the last event that the client has: only later ones are sent."
        )
        parameter = .query(
            "last_event_id",
            rule,
            "The same as the header `Last-Event-ID`, which counts where both are there.",
            example: example
        )
    }

    /// What callers may know.
    public var documentation: [RouteParameter] { [header.documentation, parameter.documentation] }

    /// The value; nil if there is none, or if one of them is at fault, which is noted.
    public func read(_ fields: inout Fields) -> Value? {
        let ofParameter = fields.read(parameter)
        let ofHeader = fields.read(header)
        return ofHeader ?? ofParameter
    }
}
