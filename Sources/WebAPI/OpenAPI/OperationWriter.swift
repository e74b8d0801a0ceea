internal import HTTPWire
internal import JSONWire

/// Writes what is said of single paths and methods.
struct OperationWriter {
    /// What any request may carry.
    let commonParameters: [RouteParameter]
    /// What any request may be answered with.
    let commonErrors: [APIError]
    /// The group of HEAD and OPTIONS.
    let otherMethods: String

    /// Fields that are described once.
    static let commonFields = WebService.fieldsOfAnyAnswer + [.retryAfter, .allow]

    // MARK: Paths and methods

    func pathItem(_ resource: RouteResource) -> JSONValue {
        var members: [(String, JSONValue?)] = []
        for route in resource.routes { members.append((route.method.rawValue.lowercased(), operation(route))) }
        if let get = resource.routes.first(where: { $0.method == .get }) {
            members.append(("head", headOperation(get)))
        }
        members.append(("options", optionsOperation(resource)))
        return .members(members)
    }

    private func operation(_ route: Route) -> JSONValue {
        let documentation = route.documentation
        return .members([
            ("operationId", operationID(route.method, route.path)),
            ("tags", [.string(documentation.group.name)]),
            ("summary", .string(documentation.summary)),
            ("description", documentation.details.isEmpty ? nil : .string(documentation.details)),
            ("security", Self.security(route)),
            ("parameters", parameters(documentation.parameters)),
            ("requestBody", documentation.body.map(Self.requestBody)),
            ("responses", responses(answers: documentation.answers, errors: documentation.errors, hasBodies: true)),
        ])
    }

    /// The token that a route wants, and the scope of it.
    private static func security(_ route: Route) -> JSONValue? {
        guard route.isGuarded, let scope = route.needs else { return nil }
        return [[OpenAPIDocument.tokenScheme: [.string(scope.name)]]]
    }

    private func headOperation(_ route: Route) -> JSONValue {
        let documentation = route.documentation
        return .members([
            ("operationId", operationID(.head, route.path)),
            ("tags", [.string(otherMethods)]),
            ("summary", .string("\(documentation.summary); as GET, without the body")),
            ("security", Self.security(route)),
            ("parameters", parameters(documentation.parameters)),
            ("responses", responses(answers: documentation.answers, errors: documentation.errors, hasBodies: false)),
        ])
    }

    private func optionsOperation(_ resource: RouteResource) -> JSONValue {
        let allow = AnswerField(
            AnswerField.allow.name,
            AnswerField.allow.meaning,
            example: .string(resource.allowed.map(\.rawValue).joined(separator: ", "))
        )
        // Asked for any value, whether there is something under it or not.
        let inPath = resource.routes[0].documentation.parameters.filter { $0.place == .path }.map {
            RouteParameter.path($0.name, $0.meaning, .string(), example: $0.example ?? "")
        }
        let answer = RouteAnswer.empty(.noContent, "The methods are in `Allow`.", fields: [allow])
        return .members([
            ("operationId", operationID(.options, resource.path)),
            ("tags", [.string(otherMethods)]),
            ("summary", "The methods that this path answers to"),
            ("parameters", parameters(inPath)),
            ("responses", responses(answers: [answer], errors: [], hasBodies: true)),
        ])
    }

    /// `getTasksById` for `GET /tasks/{id}`.
    private func operationID(_ method: HTTPMethod, _ path: PathTemplate) -> JSONValue {
        let words = path.description.split { !$0.isLetter && !$0.isNumber && $0 != "{" }.map { word in
            word.hasPrefix("{") ? "By" + word.dropFirst().capitalizedFirst : word.capitalizedFirst
        }
        return .string(method.rawValue.lowercased() + words.joined())
    }

    // MARK: Parameters

    private func parameters(_ own: [RouteParameter]) -> JSONValue {
        .array(
            own.map { Self.parameter($0) }
                + commonParameters.map { ["$ref": .string("#/components/parameters/\($0.name)")] }
        )
    }

    static func parameter(_ parameter: RouteParameter) -> JSONValue {
        .members([
            ("name", .string(parameter.name)), ("in", .string(parameter.place.rawValue)),
            ("required", parameter.isRequired ? true : nil), ("description", .string(parameter.meaning)),
            ("schema", parameter.schema.json), ("example", parameter.example),
        ])
    }

    private static func requestBody(_ body: RequestBody) -> JSONValue {
        let examples = body.examples.enumerated().map { number, example in
            ("example-\(number + 1)", Optional(["value": example] as JSONValue))
        }
        return [
            "required": true,
            "content": ["application/json": ["schema": body.schema.json, "examples": .members(examples)]],
        ]
    }

    // MARK: Responses

    /// By status, ascending.
    private func responses(answers: [RouteAnswer], errors: [APIError], hasBodies: Bool) -> JSONValue {
        var responses: [(status: HTTPStatus, json: JSONValue)] = answers.map { answer in
            (answer.status, response(answer, hasBody: hasBodies))
        }
        // A route may have an answer of its own for a status of errors.
        for (status, all) in Self.byStatus(errors + commonErrors)
        where !answers.contains(where: { $0.status == status }) {
            let isCommon = !errors.contains { $0.code.status == status }
            responses.append(
                (status, hasBodies && isCommon ? Self.reference(status) : Self.response(all, hasBody: hasBodies))
            )
        }
        responses.sort { $0.status.code < $1.status.code }
        return .members(responses.map { ($0.status.code.description, $0.json) })
    }

    /// The answers to whatever goes wrong before or without a route, under the names of their statuses.
    var commonResponses: [(String, JSONValue?)] {
        Self.byStatus(commonErrors + WebService.errorsWithoutRoute).map { status, errors in
            (Self.name(of: status), Self.response(errors, hasBody: true))
        }
    }

    private static func byStatus(_ errors: [APIError]) -> [(HTTPStatus, [APIError])] {
        Dictionary(grouping: errors, by: \.code.status).sorted { $0.key.code < $1.key.code }
    }

    private static func name(of status: HTTPStatus) -> String { status.reason.filter(\.isLetter) }

    private static func reference(_ status: HTTPStatus) -> JSONValue {
        ["$ref": .string("#/components/responses/\(name(of: status))")]
    }

    private func response(_ answer: RouteAnswer, hasBody: Bool) -> JSONValue {
        .members([
            ("description", .string(answer.meaning)),
            ("headers", Self.headers(answer.fields)),
            ("content", hasBody && !answer.contents.isEmpty ? .members(answer.contents.map(Self.content)) : nil),
        ])
    }

    private static func content(_ content: RouteAnswer.Content) -> (String, JSONValue?) {
        (content.mediaType, .members([("schema", content.schema.json), ("example", content.example)]))
    }

    /// One answer for all errors of a status.
    private static func response(_ errors: [APIError], hasBody: Bool) -> JSONValue {
        var seen: Set<APIError> = []
        let errors = errors.filter { seen.insert($0).inserted }
        let codes = ErrorCode.allCases.filter { code in errors.contains { $0.code == code } }
        let status = codes[0].status
        var fields: [AnswerField] = []
        if errors.contains(where: { $0.retryAfterSeconds != nil }) { fields.append(.retryAfter) }
        if status == .methodNotAllowed { fields.append(.allow) }
        let schema = APIError.schema.with("code", .word(codes.map(\.rawValue)))
        return .members([
            ("description", .string(codes.map { "`\($0.rawValue)`: \($0.meaning)" }.joined(separator: "\n\n"))),
            ("headers", headers(fields)),
            (
                "content",
                hasBody ? ["application/json": ["schema": schema.json, "examples": examples(of: errors)]] : nil
            ),
        ])
    }

    /// The bodies of the errors, under their codes; further ones of a code are numbered.
    private static func examples(of errors: [APIError]) -> JSONValue {
        var counts: [ErrorCode: Int] = [:]
        return .members(
            errors.map { error in
                let count = counts[error.code, default: 0] + 1
                counts[error.code] = count
                let name = count == 1 ? error.code.rawValue : "\(error.code.rawValue)-\(count)"
                return (name, ["summary": .string(error.message), "value": error.json])
            }
        )
    }

    // MARK: Header fields

    private static func headers(_ fields: [AnswerField]) -> JSONValue {
        .members(
            (WebService.fieldsOfAnyAnswer + fields).map { field in
                let isCommon = commonFields.contains { $0.name == field.name && $0.example == field.example }
                return (field.name, isCommon ? ["$ref": .string("#/components/headers/\(field.name)")] : header(field))
            }
        )
    }

    static func header(_ field: AnswerField) -> JSONValue {
        [
            "required": .bool(field.isAlwaysThere), "description": .string(field.meaning), "schema": field.schema.json,
            "example": field.example,
        ]
    }
}

extension APIError {
    /// The body as it is sent.
    fileprivate var json: JSONValue {
        (try? JSONValue(parsing: body, limits: JSONLimits(bytes: .max))) ?? .null
    }
}

extension Substring {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
