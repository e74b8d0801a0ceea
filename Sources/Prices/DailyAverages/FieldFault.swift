/// What is wrong with one parameter of a request.
public struct FieldFault: Error, Hashable, Sendable {
    /// The kinds of faults, named as the error codes that a client sees.
    ///
    /// Their order is the precedence: see ``FieldFaults/code``.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        case missingParameter = "MISSING_PARAMETER"
        case invalidDate = "INVALID_DATE"
        case invalidDateRange = "INVALID_DATE_RANGE"
        case invalidParameter = "INVALID_PARAMETER"
        case unknownParameter = "UNKNOWN_PARAMETER"
    }

    /// The kind.
    public let code: Code
    /// The parameter's name.
    public let field: String
    /// One sentence for a person; begins with the parameter's name.
    public let message: String

    /// - Parameter demand: What the parameter has to be, as the rest of a sentence that its name begins.
    init(_ code: Code, _ field: String, _ demand: String) {
        self.code = code
        self.field = field
        message = "\(field) \(demand)"
    }
}

/// Everything that is wrong with the parameters of a request: at least one fault, at most one per field.
public struct FieldFaults: Error, Hashable, Sendable {
    /// The faults: first the route's own parameters in the order of its documentation, then others as they came.
    public let all: [FieldFault]

    init(_ faults: [FieldFault]) {
        precondition(!faults.isEmpty)
        all = faults
    }

    /// The fault that the answer is named after.
    ///
    /// The first of the kind that comes first in ``FieldFault/Code``: what is missing before what is wrong, and what is
    /// wrong before what is merely not known.
    private var leading: FieldFault {
        var leading = all[0]
        for fault in all where fault.code.precedence < leading.code.precedence { leading = fault }
        return leading
    }

    /// The one code of the answer.
    public var code: FieldFault.Code { leading.code }

    /// The one sentence of the answer.
    public var message: String { leading.message }
}

extension FieldFault.Code {
    fileprivate var precedence: Int {
        switch self {
        case .missingParameter: 0
        case .invalidDate: 1
        case .invalidDateRange: 2
        case .invalidParameter: 3
        case .unknownParameter: 4
        }
    }
}
