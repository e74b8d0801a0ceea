internal import HTTPWire
internal import JSONWire
internal import WebAPI

/// What `GET /api/conversations` asks for: valid, whoever made it.
struct ConversationQuestion: Hashable, Sendable {
    /// A part of the company's name, in any case; nil for all companies.
    let company: String?
    /// Any of these, in any case; empty for all tags.
    let tags: [String]
    /// What the texts are searched for; nil for whatever they say.
    let text: String?
    /// Which part of the answer.
    let page: PageQuestion
    /// With ``text``: behind which rank and id the page begins.
    let rank: String?

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
    static let textField = Field.query(
        "q",
        .searchText,
        "Words of question or answer, as search engines take them: `\"a phrase\"`, `this or that`, `-without`.",
        example: "supplier"
    )

    /// Reads the request.
    ///
    /// - Throws: All faults at once.
    init(_ request: RequestContent) throws(APIError) {
        var fields = try Fields(request)
        let company = fields.read(Self.companyField)
        let tags = fields.read(Self.tagsField) ?? ""
        let text = fields.read(Self.textField)
        var page = PageQuestion(&fields)
        var rank: String?
        if let after = page.after, !after.isEmpty, text?.isEmpty == false {
            // The rank, and the id, which may hold anything.
            let parts = after.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, let value = Float(parts[0]), value.isFinite {
                // As PostgreSQL writes it: not all that is read here is one of its numbers.
                rank = value.description
                page.after = String(parts[1])
            } else {
                fields.refuse(PageQuestion.afterField, "after must be what next said in an answer to the same q")
            }
        }
        try fields.finish()
        self.company = company.flatMap { $0.isEmpty ? nil : $0 }
        self.tags = tags.split(separator: ",").compactMap { tag in
            let trimmed = String(tag).trimmed
            return trimmed.isEmpty ? nil : trimmed
        }
        self.text = text.flatMap { $0.isEmpty ? nil : $0 }
        self.page = page
        self.rank = rank
    }
}

/// Which part of a list is asked for: a page by its number, or what follows behind the last one of another page.
struct PageQuestion: Hashable, Sendable {
    /// From 1.
    let number: Int
    /// Elements of one page.
    let size: Int
    /// What `next` said; empty for the beginning, nil for a page by its number.
    var after: String?

    /// Elements before the page.
    var offset: Int { after == nil ? (number - 1) * size : 0 }

    static let numberMax = 1_000_000_000
    static let sizeMax = 1000
    static let sizeDefault = 50
    static let afterMax = 512

    static let numberField = Field.query(
        "page",
        .wholeNumber(in: 1...numberMax),
        "The page, from 1. With `after`, there is no other.",
        example: 1
    )
    static let sizeField = Field.query(
        "per_page",
        .wholeNumber(in: 1...sizeMax),
        "Elements of one page; \(sizeDefault) if not given.",
        example: .integer(sizeDefault)
    )
    static let afterField = Field.query(
        "after",
        .position,
        "What `next` of another answer said: this one goes on behind it, however far that is. Empty for the beginning; "
            + "the answer then has `next` in place of `page`.",
        example: ""
    )
    static let parameters = [numberField.documentation, sizeField.documentation, afterField.documentation]

    init(_ fields: inout Fields) {
        let number = fields.read(Self.numberField)
        size = fields.read(Self.sizeField) ?? Self.sizeDefault
        after = fields.read(Self.afterField)
        if let number, number > 1, after != nil {
            fields.refuse(Self.numberField, "page must be 1 where after is given")
        }
        self.number = number ?? 1
    }

    /// What `GET /api/companies` and `GET /api/tags` ask for.
    init(_ request: RequestContent) throws(APIError) {
        var fields = try Fields(request)
        self.init(&fields)
        try fields.finish()
    }
}

/// What `GET /api/conversations/{id}` asks for.
struct ConversationID: Hashable, Sendable {
    let text: String

    static let field = Field.path(
        "id",
        .conversationID,
        "The conversation's id, percent-encoded where it must be.",
        example: "c0000000"
    )

    init(_ request: RequestContent) throws(APIError) {
        var fields = try Fields(request)
        let id = fields.read(Self.field)
        text = try fields.finish(id)
    }
}

extension FieldRule<String> {
    private static let textMax = 256

    /// Any text that a database can be asked about.
    static let searchText = text(max: textMax)
    /// What `next` says.
    static let position = text(max: PageQuestion.afterMax)

    private static func text(max: Int) -> FieldRule {
        FieldRule(
            "must be at most \(max) characters, none of them NUL",
            schema: .string(length: 0...max)
        ) { text in
            text.unicodeScalars.count <= max && !text.utf8.contains(0) ? text : nil
        }
    }

    /// Any text; the path has it percent-encoded.
    static let conversationID = FieldRule(
        "must be an id",
        schema: .string(length: 1...textMax)
    ) { text in
        guard let id = try? PercentEncoding.decodePath(text), !id.utf8.contains(0) else { return nil }
        return id
    }
}

extension String {
    /// Without the spaces at both ends.
    fileprivate var trimmed: String {
        let start = drop { $0 == " " }
        return String(start.reversed().drop { $0 == " " }.reversed())
    }
}
