/// What is wrong with one field of a request.
public struct FieldFault: Error, Hashable, Sendable {
    /// The kinds of faults. Their order is the precedence by which the one code of an answer is chosen: what is missing
    /// before what is wrong, what is wrong before what is merely not known, and parameters before the body.
    public enum Kind: Int, CaseIterable, Sendable {
        /// A parameter that is required is absent or empty.
        case missing
        /// A parameter is no date.
        case invalidDate
        /// Two dates do not go together.
        case invalidDateRange
        /// A parameter is given twice, broken, or none of its kind.
        case invalid
        /// The route has no such parameter.
        case unknown
        /// A member of the body is missing, doubled, unknown or wrong.
        case content

        /// The code of an answer that is named after a fault of this kind.
        public var code: ErrorCode {
            switch self {
            case .missing: .missingParameter
            case .invalidDate: .invalidDate
            case .invalidDateRange: .invalidDateRange
            case .invalid: .invalidParameter
            case .unknown: .unknownParameter
            case .content: .validationFailed
            }
        }
    }

    /// What is wrong.
    public let kind: Kind
    /// The name of the parameter, header field or JSON member.
    public let field: String
    /// One sentence for a person.
    public let message: String

    /// Makes a fault.
    public init(_ kind: Kind, field: String, message: String) {
        self.kind = kind
        self.field = field
        self.message = message
    }
}

extension APIError {
    /// The answer to a request with faults in its fields, of which there is at least one: named after the first of the
    /// kind that comes first.
    public init(_ faults: [FieldFault]) {
        precondition(!faults.isEmpty, "an error without a fault")
        var leading = faults[0]
        for fault in faults where fault.kind.rawValue < leading.kind.rawValue { leading = fault }
        self.init(
            leading.kind.code,
            leading.message,
            details: faults.map { Detail(field: $0.field, message: $0.message) }
        )
    }
}
