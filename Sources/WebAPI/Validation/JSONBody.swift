internal import HTTPWire
internal import JSONWire

/// The members of a body that is one JSON object.
struct JSONBody {
    /// The members, each name once.
    let members: [JSONObject.Member]
    /// Those that the client gave more than once, or that hold something of which that is true.
    let repeatedNames: [String]

    /// Where there is no body.
    init() {
        members = []
        repeatedNames = []
    }

    /// Reads a body.
    init(_ bytes: [UInt8], _ fields: HTTPFields) throws(APIError) {
        guard !bytes.isEmpty else { throw .malformedJSON("it is empty") }
        guard Self.isJSON(fields) else { throw .unsupportedMediaType }
        let parsed: JSONTolerantValue
        do {
            // The server has bounded the bytes.
            parsed = try JSONTolerantValue(parsing: bytes, limits: JSONLimits(bytes: .max))
        } catch {
            if case .tooDeep = error.reason {
                throw APIError(.validationFailed, "The body is \(error.reason).")
            }
            throw .malformedJSON("\(error)")
        }
        guard let object = parsed.value.object else {
            throw APIError(.validationFailed, "The body must be a JSON object.")
        }
        guard object.members.count <= Fields.countMax else {
            throw APIError(.validationFailed, "The body may have at most \(Fields.countMax) members.")
        }
        members = object.members
        repeatedNames = parsed.repeatedNames
    }

    /// The value of a member; nil for `null`, too.
    func value(_ name: String) -> JSONValue? {
        members.first { $0.name == name }.flatMap { $0.value.isNull ? nil : $0.value }
    }

    /// Whether the media type is `application/json`, in UTF-8 if it says in what.
    private static func isJSON(_ fields: HTTPFields) -> Bool {
        let values = fields.values("content-type")
        guard values.count == 1, let type = MediaType(values[0]), type.essence == "application/json" else {
            return false
        }
        return type.parameters.allSatisfy { $0.name != "charset" || $0.value.lowercased() == "utf-8" }
    }
}

extension APIError {
    /// 415, for a body that is not said to be JSON.
    public static let unsupportedMediaType = APIError(
        .unsupportedMediaType,
        "The body must be application/json in UTF-8."
    )

    /// 400, for a body that is not JSON.
    ///
    /// - Parameter cause: A clause that quotes nothing of the body.
    static func malformedJSON(_ cause: String) -> APIError {
        APIError(.malformedJSON, "The body is not JSON: \(cause).")
    }
}
