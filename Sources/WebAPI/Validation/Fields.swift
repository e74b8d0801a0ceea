internal import HTTPWire
internal import JSONWire

/// Reads the fields of a request one by one, and refuses them all together.
///
/// ```swift
/// var fields = try Fields(request)
/// let side = fields.read(Self.side)
/// let price = fields.read(Self.price)
/// if side == .buy, fields.isAbsent(Self.price) { fields.refuse(Self.price, "price is required to buy") }
/// self.init(side: try fields.finish(side), price: price)
/// ```
///
/// What is wrong is noted, and reading goes on, so that an answer names every field at fault: first those that were
/// asked for, in their order, then others as they came. A parameter or a member that nobody asked for is a fault; a
/// header field never is.
public struct Fields {
    /// Most parameters of a query, and most members of a body: more are none of ours, and would make a long answer.
    public static let countMax = 64

    private let content: RequestContent
    private let query: [QueryParameters.Parameter]
    private let body: JSONBody
    private var knownParameters: Set<String> = []
    private var knownMembers: Set<String> = []
    private var faults: [FieldFault] = []
    /// Whether a segment of the path is none of its kind.
    private var namesNothing = false

    /// Takes a request apart.
    ///
    /// - Throws: 400 for a query of too many parameters and for a body that is not JSON, 415 for one that does not say
    ///   that it is, and 422 for one that is JSON and no object.
    public init(_ content: RequestContent) throws(APIError) {
        self.content = content
        do {
            query = try content.head.queryParameters(limit: Self.countMax).all
        } catch {
            let message = "query may have at most \(Self.countMax) parameters"
            throw APIError([FieldFault(.invalid, field: "query", message: message)])
        }
        body = try content.body.map { bytes throws(APIError) in try JSONBody(bytes, content.head.fields) } ?? JSONBody()
    }

    /// The value of a field; nil if it is absent, or is at fault, which is noted.
    public mutating func read<Value>(_ field: Field<Value>) -> Value? {
        switch field.documentation.place {
        case .query:
            knownParameters.insert(field.name)
            return readParameter(field)
        case .path:
            let value = field.rule.text(content.parameters[field.name])
            if value == nil { namesNothing = true }
            return value
        case .header:
            return readHeader(field)
        case .member:
            knownMembers.insert(field.name)
            return readMember(field)
        }
    }

    /// Whether the request does not carry the field at all; false for one that is there and at fault.
    public func isAbsent<Value>(_ field: Field<Value>) -> Bool {
        switch field.documentation.place {
        case .query: !query.contains { $0.name == field.name }
        case .path: false
        case .header: !content.head.fields.contains(field.name)
        case .member: body.value(field.name) == nil
        }
    }

    /// Notes that a field is at fault, though its value may be right by itself.
    ///
    /// - Parameters:
    ///   - message: One sentence for a person.
    ///   - kind: What a parameter is then; a member is always wrong content.
    public mutating func refuse<Value>(_ field: Field<Value>, _ message: String, _ kind: FieldFault.Kind = .invalid) {
        let kind = field.documentation.place == .member ? .content : kind
        faults.append(FieldFault(kind, field: field.name, message: message))
    }

    /// Ends the reading.
    ///
    /// - Parameter values: What was read of fields that are required.
    /// - Returns: The same, all of them there.
    /// - Throws: All faults at once; 404 if it is the path that names nothing.
    public mutating func finish<each Value>(_ values: repeat (each Value)?) throws(APIError) -> (repeat each Value) {
        guard !namesNothing else { throw .notFound }
        noteUnknown()
        guard faults.isEmpty else { throw APIError(faults) }
        return (repeat try Self.present(each values))
    }

    private static func present<Value>(_ value: Value?) throws(APIError) -> Value {
        guard let value else {
            assertionFailure("a value is needed whose field is not required or was not read")
            throw .internalError
        }
        return value
    }

    // MARK: Places

    private mutating func readParameter<Value>(_ field: Field<Value>) -> Value? {
        let found = query.filter { $0.name == field.name }
        // What is empty counts as absent only where it must not be: an empty date is missing, an empty symbol is none.
        guard let parameter = found.first, !(field.isRequired && found.count == 1 && parameter.isEmpty) else {
            if field.isRequired { note(.missing, field.name, "is required") }
            return nil
        }
        guard found.count == 1 else {
            note(.invalid, field.name, "must be given once")
            return nil
        }
        guard noteBroken(parameter) == false else { return nil }
        let value = field.rule.text(parameter.value)
        if value == nil { note(field.rule.fault, field.name, field.rule.demand) }
        return value
    }

    private mutating func readHeader<Value>(_ field: Field<Value>) -> Value? {
        let found = content.head.fields.values(field.name)
        guard let text = found.first else {
            if field.isRequired { note(.missing, field.name, "is required") }
            return nil
        }
        guard found.count == 1 else {
            note(.invalid, field.name, "must be given once")
            return nil
        }
        let value = field.rule.text(text)
        if value == nil { note(field.rule.fault, field.name, field.rule.demand) }
        return value
    }

    private mutating func readMember<Value>(_ field: Field<Value>) -> Value? {
        guard !body.repeatedNames.contains(field.name) else {
            note(.content, field.name, "must be given once")
            return nil
        }
        guard let json = body.value(field.name) else {
            if field.isRequired { note(.content, field.name, "is required") }
            return nil
        }
        let value = field.rule.json(json)
        if value == nil { note(.content, field.name, field.rule.demand) }
        return value
    }

    private mutating func noteUnknown() {
        var seen = knownParameters
        for parameter in query where seen.insert(parameter.name).inserted {
            if !noteBroken(parameter) { note(.unknown, parameter.name.shortened, "is not a parameter of this route") }
        }
        for member in body.members where !knownMembers.contains(member.name) {
            note(.content, member.name.shortened, "is not a member of this request")
        }
    }

    /// Whether a parameter cannot be decoded; then that is noted.
    private mutating func noteBroken(_ parameter: QueryParameters.Parameter) -> Bool {
        switch parameter.fault {
        case nil: return false
        case .malformedEscape: note(.invalid, parameter.name.shortened, "has a broken percent-encoding")
        case .invalidUTF8: note(.invalid, parameter.name.shortened, "is not UTF-8")
        }
        return true
    }

    /// - Parameter demand: The rest of the sentence that the name begins.
    private mutating func note(_ kind: FieldFault.Kind, _ name: String, _ demand: String) {
        faults.append(FieldFault(kind, field: name, message: "\(name) \(demand)"))
    }
}

extension Field {
    fileprivate var isRequired: Bool { documentation.isRequired }
}

extension QueryParameters.Parameter {
    fileprivate var isEmpty: Bool { value.isEmpty && fault == nil }
}

extension String {
    /// A name that a client made up, cut to a length that is fit to be repeated to it.
    fileprivate var shortened: String {
        unicodeScalars.count <= 64 ? self : String(unicodeScalars.prefix(63)) + "…"
    }
}
