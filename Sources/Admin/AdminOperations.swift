internal import HTTPServer
internal import HTTPWire
internal import JSONWire
public import WebAPI

/// The kinds of operations that operators do more than once.
public enum AdminOperation {
    /// Does one thing, about which there is nothing to say.
    public static func plain(_ path: PathTemplate, _ summary: String, errors: [APIError]) -> Operation<Void> {
        Operation(
            .post,
            path,
            RouteDocumentation(
                summary,
                in: .administration,
                answers: [.json(.ok, "It is done.", .anything, example: nil)],
                errors: errors
            )
        ) { request throws(APIError) in
            var fields = try Fields(request)
            try fields.finish()
        }
    }

    /// Does something to one dead letter, `{"id":…}`, or to all that there are, `{"all":true}`.
    public static func choosing<ID: CustomStringConvertible & Sendable>(
        _ path: PathTemplate,
        _ summary: String,
        _ rule: FieldRule<ID>
    ) -> Operation<DeadLetterChoice<ID>> {
        let id = Field.member("id", rule, "Which one.")
        let all = Field.member("all", FieldRule<Bool>.flag, "Whether all of them.", example: true)
        return Operation(
            .post,
            path,
            RouteDocumentation(
                summary,
                in: .administration,
                body: .json("DeadLetterChoice", [id.documentation, all.documentation], examples: [["all": true]]),
                answers: [.json(.ok, "How many there were.", .anything, example: nil)],
                errors: [.noSuchLetter] + APIError.ofBroker
            )
        ) { request throws(APIError) in
            var fields = try Fields(request)
            let one = fields.read(id)
            let isAll = fields.read(all) ?? false
            if isAll != fields.isAbsent(id) { fields.refuse(id, "id or all is required, and not both") }
            try fields.finish()
            return DeadLetterChoice(id: one)
        }
    }
}

/// One dead letter, or all.
public struct DeadLetterChoice<ID: CustomStringConvertible & Sendable>: Sendable {
    /// nil for all.
    public let id: ID?

    /// For the log.
    public var words: String { id?.description ?? "all" }

    /// What came of it; 404 if it was to be one, and there is none.
    public func outcome(_ verb: String, _ count: Int) throws(APIError) -> AdminOutcome {
        guard id == nil || count > 0 else { throw .noSuchLetter }
        return AdminOutcome("\(count) \(verb)", .members([(verb, .integer(count))]))
    }
}

extension APIError {
    static let noSuchLetter = APIError(.notFound, "There is no such dead letter.")
}
