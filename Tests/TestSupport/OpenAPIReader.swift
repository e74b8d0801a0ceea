public import JSONWire

/// Reads an OpenAPI document, and says where a value is not what one of its schemas demands.
///
/// It knows the keywords that our documents use, and reports any other, so that none is passed over in silence.
public struct OpenAPIReader: Sendable {
    /// The document.
    public let document: JSONValue

    /// Parses a document.
    public init(_ text: String) throws {
        document = try JSONValue(parsing: text, limits: JSONLimits(bytes: 1 << 22))
    }

    /// One method of one path.
    public struct Operation: Sendable {
        /// As in the document.
        public let path: String
        /// In upper case.
        public let method: String
        /// What is said of it.
        public let json: JSONValue
    }

    /// Every method of every path.
    public var operations: [Operation] {
        (document["paths"]?.object?.members ?? []).flatMap { path in
            (path.value.object?.members ?? []).map { method in
                Operation(path: path.name, method: method.name.uppercased(), json: method.value)
            }
        }
    }

    /// A value, or what it refers to.
    public func resolve(_ value: JSONValue) -> JSONValue {
        guard let reference = value["$ref"]?.string else { return value }
        let found = reference.dropFirst(2).split(separator: "/").reduce(document) { value, name in
            value?[String(name)]
        }
        return found ?? ["not found": .string(reference)]
    }

    /// The request target with the example of each parameter of the query and the path.
    public func exampleTarget(_ operation: Operation) -> String {
        var path = operation.path
        var query: [String] = []
        for parameter in (operation.json["parameters"]?.array ?? []).map(resolve) {
            guard let name = parameter["name"]?.string, let example = parameter["example"]?.string else { continue }
            switch parameter["in"]?.string {
            case "path": path.replace("{\(name)}", with: example)
            case "query": query.append("\(name)=\(example)")
            default: break
            }
        }
        return query.isEmpty ? path : "\(path)?\(query.joined(separator: "&"))"
    }

    // MARK: Answers

    /// What the document does not say of an answer, or says otherwise.
    public func faults(of response: TestResponse, to operation: Operation) -> [String] {
        guard let described = operation.json["responses"]?["\(response.status)"].map(resolve) else {
            return ["status \(response.status)"]
        }
        var faults = faults(inFieldsOf: response, described)
        let contents = described["content"]?.object?.members ?? []
        if contents.isEmpty, !response.body.isEmpty { faults.append("a body") }
        guard !contents.isEmpty else { return faults }
        let mediaType = response["content-type"].map { String($0.prefix { $0 != ";" }) } ?? ""
        guard let schema = contents.first(where: { $0.name == mediaType })?.value["schema"] else {
            return faults + ["content type \(mediaType)"]
        }
        guard mediaType == "application/json" else { return faults }
        guard let body = try? JSONValue(parsing: response.body, limits: JSONLimits(bytes: 1 << 22)) else {
            return faults + ["a body that is not JSON"]
        }
        return faults + self.faults(of: body, against: schema)
    }

    private func faults(inFieldsOf response: TestResponse, _ described: JSONValue) -> [String] {
        (described["headers"]?.object?.members ?? []).flatMap { field -> [String] in
            let header = resolve(field.value)
            guard let text = response[field.name] else {
                return header["required"] == true ? ["no \(field.name)"] : []
            }
            let schema = header["schema"] ?? [:]
            return faults(
                of: schema["type"] == "integer" ? .number(text) : .string(text),
                against: schema,
                at: field.name
            )
        }
    }

    // MARK: Schemas

    /// Where a value is not what a schema demands.
    ///
    /// - Parameter place: What to call the value.
    public func faults(of value: JSONValue, against schema: JSONValue, at place: String = "body") -> [String] {
        (schema.object?.members ?? []).flatMap { keyword in
            isMet(keyword.name, keyword.value, by: value, of: schema, at: place)
        }
    }

    private func isMet(
        _ keyword: String,
        _ demand: JSONValue,
        by value: JSONValue,
        of schema: JSONValue,
        at place: String
    ) -> [String] {
        let isMet: Bool
        switch keyword {
        case "description", "format": return []
        case "$ref": return faults(of: value, against: resolve(schema), at: place)
        case "allOf": return (demand.array ?? []).flatMap { faults(of: value, against: $0, at: place) }
        case "anyOf":
            isMet = (demand.array ?? []).contains { faults(of: value, against: $0, at: place).isEmpty }
        case "items":
            return (value.array ?? []).enumerated().flatMap { faults(of: $1, against: demand, at: "\(place)[\($0)]") }
        case "properties":
            return (demand.object?.members ?? []).flatMap { member in
                value[member.name].map { faults(of: $0, against: member.value, at: "\(place).\(member.name)") } ?? []
            }
        case "type": isMet = value.typeNames.contains(demand.string ?? "")
        case "enum": isMet = demand.array?.contains(value) ?? false
        case "pattern":
            isMet =
                value.string.flatMap { text in (try? Regex(demand.string ?? "")).map { text.contains($0) } } ?? false
        case "minLength": isMet = (value.string?.unicodeScalars.count ?? 0) >= demand.integer ?? 0
        case "maxLength": isMet = (value.string?.unicodeScalars.count ?? 0) <= demand.integer ?? 0
        case "minimum": isMet = (value.double ?? -.infinity) >= demand.double ?? 0
        case "maximum": isMet = (value.double ?? .infinity) <= demand.double ?? 0
        case "minItems": isMet = (value.array?.count ?? 0) >= demand.integer ?? 0
        case "maxItems": isMet = (value.array?.count ?? 0) <= demand.integer ?? 0
        case "required": isMet = (demand.array ?? []).allSatisfy { value[$0.string ?? ""] != nil }
        case "additionalProperties":
            isMet = (value.object?.members ?? []).allSatisfy { schema["properties"]?[$0.name] != nil }
        default: return ["\(place): \(keyword) is not a keyword that is known here"]
        }
        return isMet ? [] : ["\(place) is \(value), against \(keyword) \(demand)"]
    }
}

extension JSONValue {
    /// The types of JSON Schema that the value has.
    fileprivate var typeNames: [String] {
        switch self {
        case .null: ["null"]
        case .bool: ["boolean"]
        case .number: integer == nil ? ["number"] : ["number", "integer"]
        case .string: ["string"]
        case .array: ["array"]
        case .object: ["object"]
        }
    }
}
