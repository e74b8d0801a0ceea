internal import HTTPWire
internal import JSONWire
internal import Prices
internal import WebAPI

/// What `POST /prices/poll` asks: a job.
struct NewPollingJob: Sendable {
    let symbols: [Symbol]
    let interval: Int
    let provider: String?

    static let symbols = Field.member(
        "symbols",
        FieldRule<[Symbol]>.symbols,
        "Whose prices are fetched; all different.",
        isRequired: true,
        example: ["AAPL", "MSFT"]
    )
    static let interval = Field.member(
        "interval",
        .wholeNumber(in: 1...86_400),
        "The seconds from one run to the next.",
        isRequired: true,
        example: 60
    )
    static let provider = Field.member(
        "provider",
        .text(of: .visible, length: 1...64),
        "Who is asked, as the configuration calls it; by default whoever comes first there."
    )

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        let symbols = fields.read(Self.symbols)
        let interval = fields.read(Self.interval)
        provider = fields.read(Self.provider)
        (self.symbols, self.interval) = try fields.finish(symbols, interval)
    }

    /// 422 for a provider that is not configured.
    static func unknownProvider(_ name: String) -> APIError {
        let message = "Provider '\(name)' not supported."
        return APIError(
            .validationFailed,
            message,
            details: [APIError.Detail(field: provider.name, message: message)]
        )
    }
}

extension FieldRule<[Symbol]> {
    /// Distinct symbols.
    fileprivate static let symbols = FieldRule(
        "must be 1 to 100 different symbols, each of 1 to \(Symbol.lengthMax) characters of A-Z a-z 0-9 . ^ = - _ : &",
        schema: .array(of: FieldRule<Symbol>.symbol.schema, count: 1...100)
    ) { _ in
        nil
    } json: { value in
        guard let elements = value.array, (1...100).contains(elements.count) else { return nil }
        let symbols = elements.compactMap { $0.string.flatMap { Symbol($0) } }
        return symbols.count == elements.count && Set(symbols).count == symbols.count ? symbols : nil
    }
}

/// The id of a job, as clients see it.
struct PollingJobID: Hashable, Sendable, CustomStringConvertible {
    let number: Int64

    static let example = "poll_1"

    init(number: Int64) { self.number = number }

    init?(_ text: String) {
        guard text.hasPrefix("poll_"), let number = Int64(text.dropFirst(5)), number > 0, text == "poll_\(number)"
        else {
            return nil
        }
        self.number = number
    }

    var description: String { "poll_\(number)" }
}

extension FieldRule<PollingJobID> {
    /// `poll_` and a number.
    static let pollingJob = FieldRule("must be the id of a job", schema: .string(pattern: "^poll_[1-9][0-9]*$")) {
        PollingJobID($0)
    }
}

/// The id in the path.
struct PollingJobQuestion: Sendable {
    let id: PollingJobID

    static let id = Field.path("id", .pollingJob, "The id of the job.", example: .string(PollingJobID.example))

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        id = try fields.finish(fields.read(Self.id))
    }
}

/// What `PATCH /prices/poll/{id}` asks.
struct PollingJobChange: Sendable {
    let id: PollingJobID
    let isPaused: Bool?
    let interval: Int?

    static let paused = Field.member("paused", FieldRule<Bool>.flag, "Whether it rests.", example: true)
    static let interval = Field.member(
        "interval",
        .wholeNumber(in: 1...86_400),
        "The seconds from one run to the next; the next run is so long after the last one.",
        example: 30
    )

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        let id = fields.read(PollingJobQuestion.id)
        isPaused = fields.read(Self.paused)
        interval = fields.read(Self.interval)
        if fields.isAbsent(Self.paused), fields.isAbsent(Self.interval) {
            fields.refuse(Self.paused, "paused or interval is required")
        }
        self.id = try fields.finish(id)
    }
}

/// What `GET /prices/poll` asks: a page of jobs, oldest first.
struct PollingJobPage: Sendable {
    let after: PollingJobID?
    let limit: Int

    static let after = Field.query(
        "after",
        FieldRule<PollingJobID>.pollingJob,
        "`next` of the page before.",
        example: .string(PollingJobID.example)
    )

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        limit = fields.readPageLimit()
        after = fields.read(Self.after)
        _ = try fields.finish(limit)
    }
}
