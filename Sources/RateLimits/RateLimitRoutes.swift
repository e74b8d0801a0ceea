public import Admin
internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Reactor
internal import Redis
public import WebAPI

/// `/admin/limits`: the limits of the gateways, read and changed while they run.
public enum RateLimitRoutes {
    /// The routes of the admin listener.
    @ReactorActor
    public static func answered(by rules: RateRules, audit: AuditLog) -> [Route] {
        [
            list.answered { _, _ async throws(APIError) in
                let stated = try await brokered { () async throws(RedisError) in try await rules.all() }
                var writer = JSONWriter(capacity: 64 + 160 * stated.count)
                writer.object { writer in
                    writer.key("data")
                    writer.array { writer in
                        for rule in stated { rule.write(to: &writer) }
                    }
                }
                return HTTPResponse(json: writer.take())
            },
            set.performed(as: "limits.set", in: audit, on: { $0.name }) { rule async throws(APIError) in
                let reach = try await brokered { () async throws(RedisError) in try await rules.reach() }
                guard reach?.meets(rule.scope) ?? true else { throw unmet }
                guard try await brokered({ () async throws(RedisError) in try await rules.set(rule) }) else {
                    throw tooMany
                }
                return AdminOutcome("\(rule.requests) per \(rule.seconds) s", rule.value)
            },
            reset.performed(as: "limits.reset", in: audit, on: { $0.name }) { rule async throws(APIError) in
                guard try await brokered({ () async throws(RedisError) in try await rules.reset(rule.name) }) else {
                    throw unchanged
                }
                return AdminOutcome("done", ["reset": .string(rule.name)])
            },
        ]
    }

    /// The limits, for the console.
    public static func section(_ rules: RateRules) -> ConsoleSection {
        ConsoleSection("limits") { _ async throws(APIError) in
            let stated = try await brokered { () async throws(RedisError) in try await rules.all() }
            var writer = JSONWriter(capacity: 64 + 160 * stated.count)
            writer.array { writer in
                for rule in stated { rule.write(to: &writer) }
            }
            return writer.take()
        }
    }

    private static let tooMany = APIError(
        .validationFailed,
        "At most \(RateRules.countMax) limits can be changed or added; take another one back."
    )
    private static let unmet = APIError([
        FieldFault(.content, field: "route", message: "route must be one of the gateways' routes, or what they pass on")
    ])
    private static let unchanged = APIError(.notFound, "No such limit was changed or added.")

    // MARK: Questions

    private static let grouping = (
        member: Field.member("by", FieldRule<RateRule.Grouping>.word, groupingMeaning, example: "both"),
        query: Field.query("by", FieldRule<RateRule.Grouping>.word, groupingMeaning, example: "both")
    )
    private static let groupingMeaning =
        "What is counted together: what one client asks of one route (`both`, unless said otherwise), what one client "
        + "asks (`address`), or what all clients ask of one route (`route`)."
    private static let scope = (
        member: Field.member(
            "route",
            FieldRule<RateRule.Scope>.scope,
            scopeMeaning,
            isRequired: true,
            example: "/prices/latest"
        ),
        query: Field.query(
            "route",
            FieldRule<RateRule.Scope>.scope,
            scopeMeaning,
            isRequired: true,
            example: "/prices/latest"
        )
    )
    private static let scopeMeaning =
        "What it concerns: a path, or a method and a path. A path that ends with a slash stands for all that begin "
        + "like it, also of what is passed on; `/` for everything."
    private static let clients = (
        member: Field.member("address", FieldRule<AddressRange>.range, clientsMeaning),
        query: Field.query("address", FieldRule<AddressRange>.range, clientsMeaning, example: "192.0.2.0/24")
    )
    private static let clientsMeaning = "The only clients that it concerns: an address or a network."
    private static let requests = Field.member(
        "requests",
        .wholeNumber(in: RateRule.requestsRange),
        "How many requests may be made in that time; 0 for any number.",
        isRequired: true,
        example: 5
    )
    private static let seconds = Field.member(
        "per_s",
        .wholeNumber(in: RateRule.secondsRange),
        "The seconds; 60 unless said otherwise.",
        example: 60
    )

    // MARK: Declarations

    private static let list = Operation(
        .get,
        "/admin/limits",
        RouteDocumentation(
            "The limits, and which of them were changed since the gateways' files were read",
            in: .administration,
            answers: [.json(.ok, "All of them.", .anything, example: nil)],
            errors: APIError.ofBroker
        )
    ) { request throws(APIError) in
        var fields = try Fields(request)
        try fields.finish()
    }

    private static let set = Operation(
        .put,
        "/admin/limits",
        RouteDocumentation(
            "Change or add a limit",
            details: "All gateways follow at once, and keep to it until it is taken back.",
            in: .administration,
            body: .json(
                "RateLimit",
                [
                    grouping.member.documentation, scope.member.documentation, clients.member.documentation,
                    requests.documentation, seconds.documentation,
                ],
                examples: [["route": "/prices/latest", "requests": 10]]
            ),
            answers: [.json(.ok, "The limit.", .anything, example: nil)],
            errors: [tooMany, unmet] + APIError.ofBroker
        )
    ) { request throws(APIError) in
        var fields = try Fields(request)
        let by = fields.read(Self.grouping.member) ?? .both
        let route = fields.read(Self.scope.member)
        let clients = fields.read(Self.clients.member)
        let count = fields.read(Self.requests)
        let time = fields.read(Self.seconds) ?? 60
        let (scope, requests) = try fields.finish(route, count)
        return RateRule(by, scope, clients: clients, requests: requests, seconds: time)
    }

    private static let reset = Operation(
        .delete,
        "/admin/limits",
        RouteDocumentation(
            "Take a change of a limit back: what the gateways' files say holds again",
            in: .administration,
            parameters: [grouping.query.documentation, scope.query.documentation, clients.query.documentation],
            answers: [.json(.ok, "It was taken back.", .anything, example: nil)],
            errors: [unchanged] + APIError.ofBroker
        )
    ) { request throws(APIError) in
        var fields = try Fields(request)
        let by = fields.read(Self.grouping.query) ?? .both
        let route = fields.read(Self.scope.query)
        let clients = fields.read(Self.clients.query)
        return RateRule(by, try fields.finish(route), clients: clients, requests: 0)
    }
}

extension RateRule {
    fileprivate var value: JSONValue {
        [
            "by": .string(grouping.rawValue), "route": .string(scope.description),
            "address": clients.map { .string($0.description) } ?? .null, "requests": .integer(requests),
            "per_s": .integer(seconds),
        ]
    }
}

extension FieldRule<RateRule.Scope> {
    fileprivate static let scope = FieldRule(
        "must be \(RateRule.Scope.form), of at most \(RateRule.Scope.bytesMax) characters",
        schema: .string(length: 1...RateRule.Scope.bytesMax)
    ) { RateRule.Scope($0) }
}

extension FieldRule<AddressRange> {
    fileprivate static let range = FieldRule(
        "must be an address or a network, such as 10.0.0.0/8",
        schema: .string()
    ) { AddressRange($0) }
}
