internal import HTTPWire
internal import JSONWire
internal import WebAPI

/// What can be asked of conversations, declared once for the roles that serve it.
enum ConversationOperations {
    static let search = Operation(
        .get,
        "/api/conversations",
        needs: .conversationsRead,
        RouteDocumentation(
            "Conversations by company, tags and words",
            details: """
                In the order of their ids' bytes; with `q` the best first, and in that order where they are equal. \
                With `q`, the \(ConversationStatements.matchesMax) first that match are ranked and can be paged \
                through; when there are more, `total` is that number and `total_is_exact` is false. Case folds as \
                Unicode's ICU folds it: `straße` is not `STRASSE`, `ÉCOLE` is `école`.
                """,
            in: .conversations,
            parameters: [
                ConversationQuestion.companyField.documentation, ConversationQuestion.tagsField.documentation,
                ConversationQuestion.textField.documentation,
            ] + PageQuestion.parameters,
            answers: [
                .json(
                    .ok,
                    "The ids of the page; maybe none.",
                    fields: answerFields,
                    .object(
                        [
                            "conversation_ids": .array(of: .string(), count: 0...PageQuestion.sizeMax),
                            "total": count, "page": pageNumber, "per_page": pageSize, "next": .anything,
                            "total_is_exact": .flag
                                .described("With `q` only: whether no more match than `total` says."),
                            "results": .array(of: result, count: 0...PageQuestion.sizeMax)
                                .described("With `q` only: the same conversations, and where they match."),
                        ],
                        optional: ["page", "next", "total_is_exact", "results"]
                    )
                    .named("ConversationPage"),
                    example: ["conversation_ids": ["c0000000"], "total": 1, "page": 1, "per_page": 50]
                )
            ],
            errors: [.noRelation, .noTextIndex]
        ),
        faulty: [RequestContent(target: "/?page=0&per_page=1001"), RequestContent(target: "/?page=2&after=c1")]
    ) { request throws(APIError) in try ConversationQuestion(request) }

    static let one = Operation(
        .get,
        "/api/conversations/{id}",
        needs: .conversationsRead,
        RouteDocumentation(
            "One conversation, with its transcript, company and tag",
            in: .conversations,
            parameters: [ConversationID.field.documentation],
            answers: [
                .json(.ok, "The conversation.", fields: answerFields, conversation, example: exampleConversation)
            ],
            errors: [.unknownConversation]
        )
    ) { request throws(APIError) in try ConversationID(request) }

    static let companies = list(
        "/api/companies",
        "The companies of the set",
        .object(["id_company": .string(), "company_name": .string(), "logo": nullable]).named("Company"),
        example: ["id_company": "1", "company_name": "Microsoft Corporation", "logo": .null]
    )

    static let tags = list(
        "/api/tags",
        "The tags of the set",
        .object(["id_tag": .string(), "tag_value": .string()]).named("Tag"),
        example: ["id_tag": "1", "tag_value": "competition"]
    )

    private static func list(
        _ path: PathTemplate,
        _ summary: String,
        _ element: Schema,
        example: JSONValue
    ) -> Operation<PageQuestion> {
        Operation(
            .get,
            path,
            needs: .conversationsRead,
            RouteDocumentation(
                summary,
                details: "In the order of their ids' bytes.",
                in: .conversations,
                parameters: PageQuestion.parameters,
                answers: [
                    .json(
                        .ok,
                        "A page; maybe an empty one.",
                        fields: answerFields,
                        .object(
                            [
                                "data": .array(of: element, count: 0...PageQuestion.sizeMax), "total": count,
                                "page": pageNumber, "per_page": pageSize, "next": .anything,
                            ],
                            optional: ["page", "next"]
                        ),
                        example: ["data": [example], "total": 1, "page": 1, "per_page": 50]
                    )
                ]
            ),
            faulty: [RequestContent(target: "/?page=0")]
        ) { request throws(APIError) in try PageQuestion(request) }
    }

    // MARK: Schemas

    static let cacheField = AnswerField(
        "X-Cache",
        "Whether the answer was kept, of the set that is there now; absent where nothing is kept.",
        .word(["HIT", "MISS"]),
        example: "MISS",
        isAlwaysThere: false
    )
    static let versionField = AnswerField(
        "X-Data-Version",
        "Which set the answer is of: each import that changes something makes this number larger.",
        .integer(in: 0...Int.max),
        example: 1
    )
    private static let answerFields = [cacheField, versionField]
    private static let count = Schema.integer(in: 0...Int.max)
    private static let pageNumber = Schema.integer(in: 1...PageQuestion.numberMax)
    private static let pageSize = Schema.integer(in: 1...PageQuestion.sizeMax)
    /// A text or `null`.
    private static let nullable = Schema.anything
    private static let result = Schema.object([
        "id": .string(), "rank": .number,
        "snippet": .string().described("HTML: what matches is in `<mark>`, all else is escaped."),
    ])
    private static let conversation = Schema.object([
        "id_conversation": .string(), "question": nullable, "answer": nullable, "sequence_conversation": nullable,
        "id_tag": nullable, "tag_value": nullable, "id_transcript": nullable, "title": nullable,
        "transcript_type": nullable, "length": nullable, "publish_date": nullable, "id_company": nullable,
        "company_name": nullable,
    ])
    .named("Conversation")
    private static let exampleConversation: JSONValue = [
        "id_conversation": "c0000000", "question": "What do you think of competition?",
        "answer": "There is much to say about it.", "sequence_conversation": 1, "id_tag": "1",
        "tag_value": "competition", "id_transcript": "1", "title": "Talk 1", "transcript_type": "conversation",
        "length": 600, "publish_date": "2015-01-05T09:30:00Z", "id_company": "1",
        "company_name": "Microsoft Corporation",
    ]
}

extension Scope {
    static let conversationsRead = Scope("conversations:read", "Conversations, their companies and tags")
}

extension RouteGroup {
    /// What is told about conversations.
    static let conversations = RouteGroup("Conversations", "What was asked and answered, by company, tag and word.")
}

extension APIError {
    /// 400, where conversations are not tied to companies.
    static let noRelation = APIError(
        .invalidParameter,
        "company cannot be searched: the imported set does not say which company a conversation belongs to.",
        details: [Detail(field: "company", message: "company cannot be searched in this set")]
    )
    /// 400, where the texts were not indexed.
    static let noTextIndex = APIError(
        .invalidParameter,
        "q cannot be searched: the set was imported without an index of its texts.",
        details: [Detail(field: "q", message: "q cannot be searched in this set")]
    )
    /// 404.
    static let unknownConversation = APIError(.notFound, "There is no conversation of this id.")
}
