internal import HTTPWire
internal import JSONWire
public import WebAPI

/// What `GET /api/conversations` asks for: valid, whoever made it.
public struct ConversationQuestion: Hashable, Sendable {
    /// A part of the company's name, in any case; nil for all companies.
    public let company: String?
    /// Any of these, in any case; empty for all tags.
    public let tags: [String]
    /// From 1.
    public let page: Int
    /// Conversations of one page.
    public let perPage: Int

    static let textMax = 256
    static let pageMax = 1_000_000_000
    static let perPageMax = 1000
    static let perPageDefault = 50

    static let companyField = Field.query(
        "company",
        .searchText,
        "A part of the company's name, in any case. `%` and `_` mean themselves.",
        example: "microsoft"
    )
    static let tagsField = Field.query(
        "tags",
        .searchText,
        "Tags with commas between them, in any case: conversations that have any of them.",
        example: "competition,orientation"
    )
    static let pageField = Field.query("page", .wholeNumber(in: 1...pageMax), "The page, from 1.", example: 1)
    static let perPageField = Field.query(
        "per_page",
        .wholeNumber(in: 1...perPageMax),
        "Conversations of one page; \(perPageDefault) if not given.",
        example: .integer(perPageDefault)
    )

    /// Reads the request.
    ///
    /// - Throws: All faults at once.
    public init(_ request: RequestContent) throws(APIError) {
        var fields = try Fields(request)
        let company = fields.read(Self.companyField)
        let tags = fields.read(Self.tagsField) ?? ""
        page = fields.read(Self.pageField) ?? 1
        perPage = fields.read(Self.perPageField) ?? Self.perPageDefault
        try fields.finish()
        self.company = company.flatMap { $0.isEmpty ? nil : $0 }
        self.tags = tags.split(separator: ",").compactMap { tag in
            let trimmed = String(tag).trimmed
            return trimmed.isEmpty ? nil : trimmed
        }
    }

    /// `GET /api/conversations`, wherever it is served.
    public static let operation = Operation(
        .get,
        "/api/conversations",
        documentation,
        faulty: [RequestContent(target: "/?page=0&per_page=1001")]
    ) { request throws(APIError) in try ConversationQuestion(request) }

    private static var documentation: RouteDocumentation {
        RouteDocumentation(
            "Conversations by company and tags",
            details: "In the order of their ids' bytes. Letters fold as Unicode's ICU folds them.",
            in: RouteGroup("Conversations", "What was asked and answered, by company and tag."),
            parameters: [
                companyField.documentation, tagsField.documentation, pageField.documentation,
                perPageField.documentation,
            ],
            answers: [
                .json(
                    .ok,
                    "The ids of the page; maybe none.",
                    .object([
                        "conversation_ids": .array(of: .string(), count: 0...perPageMax),
                        "total": .integer(in: 0...Int.max), "page": .integer(in: 1...pageMax),
                        "per_page": .integer(in: 1...perPageMax),
                    ])
                    .named("ConversationPage"),
                    example: ["conversation_ids": ["c0000000"], "total": 1, "page": 1, "per_page": 50]
                )
            ],
            errors: [.noRelation]
        )
    }
}

extension FieldRule<String> {
    /// Any text that a database can be asked about.
    static let searchText = FieldRule(
        "must be at most \(ConversationQuestion.textMax) characters, none of them NUL",
        schema: .string(length: 0...ConversationQuestion.textMax)
    ) { text in
        text.unicodeScalars.count <= ConversationQuestion.textMax && !text.utf8.contains(0) ? text : nil
    }
}

extension String {
    /// Without the spaces at both ends.
    fileprivate var trimmed: String {
        let start = drop { $0 == " " }
        return String(start.reversed().drop { $0 == " " }.reversed())
    }
}

extension APIError {
    /// 400, where conversations are not tied to companies.
    static let noRelation = APIError(
        .invalidParameter,
        "company cannot be searched: the imported set does not say which company a conversation belongs to.",
        details: [Detail(field: "company", message: "company cannot be searched in this set")]
    )
}
