internal import JSONWire
internal import WebAPI

/// A request to change how a provider behaves; what it does not say stays.
struct BehaviourChange: Sendable {
    let provider: String
    let answer: String?
    let symbols: [String: String]?
    let prices: [String: String]?
    let latencyMilliseconds: Int?

    static let providerField = Field.path(
        "provider",
        .text(of: .visible, length: 1...64),
        "The provider.",
        example: "yfinance"
    )
    private static let answerField = Field.member(
        "answer",
        .text(of: .visible, length: 1...64),
        "The answer to every symbol that `symbols` does not name.",
        example: "price"
    )
    private static let symbolsField = Field.member(
        "symbols",
        FieldRule<[String: String]>.texts(atMost: SimulatedProvider.symbolsMax),
        "Answers to single symbols; replaces those before.",
        example: ["MSFT": "price"]
    )
    private static let pricesField = Field.member(
        "prices",
        FieldRule<[String: String]>.texts(atMost: SimulatedProvider.symbolsMax),
        "Prices of single symbols, as texts of numbers; replaces those before.",
        example: ["AAPL": "150.25"]
    )
    private static let latencyField = Field.member(
        "latency_ms",
        .wholeNumber(in: 0...SimulatedProvider.latencyMax),
        "How long each answer takes.",
        example: 0
    )

    static let members = [
        answerField.documentation, symbolsField.documentation, pricesField.documentation, latencyField.documentation,
    ]

    init(_ request: RequestContent) throws(APIError) {
        var fields = try Fields(request)
        let provider = fields.read(Self.providerField)
        answer = fields.read(Self.answerField)
        symbols = fields.read(Self.symbolsField)
        prices = fields.read(Self.pricesField)
        latencyMilliseconds = fields.read(Self.latencyField)
        self.provider = try fields.finish(provider)
    }
}

extension FieldRule<[String: String]> {
    /// An object whose members are texts.
    static func texts(atMost count: Int) -> FieldRule {
        FieldRule("must be an object of at most \(count) texts", schema: .object([:], isOpen: true)) { _ in
            nil
        } json: { value in
            guard let members = value.object?.members, members.count <= count else { return nil }
            var texts: [String: String] = [:]
            for member in members {
                guard let text = member.value.string ?? member.value.numberText else { return nil }
                texts[member.name] = text
            }
            return texts
        }
    }
}

extension SimulatedProvider.Behaviour {
    static let schema = Schema.object([
        "answer": .string(), "symbols": .object([:], isOpen: true), "prices": .object([:], isOpen: true),
        "latency_ms": .integer(in: 0...SimulatedProvider.latencyMax),
    ])

    static let example: JSONValue = ["answer": "price", "symbols": [:], "prices": [:], "latency_ms": 0]

    mutating func apply(_ change: BehaviourChange) {
        answer = change.answer ?? answer
        symbols = change.symbols ?? symbols
        prices = change.prices ?? prices
        latencyMilliseconds = change.latencyMilliseconds ?? latencyMilliseconds
    }

    var json: [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.object { writer in
            writer.member("answer", answer)
            for (name, texts) in [("symbols", symbols), ("prices", prices)] {
                writer.key(name)
                writer.object { writer in
                    for (symbol, text) in texts.sorted(by: { $0.key < $1.key }) { writer.member(symbol, text) }
                }
            }
            writer.member("latency_ms", latencyMilliseconds)
        }
        return writer.take()
    }
}
