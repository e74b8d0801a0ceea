import HTTPWire
import JSONWire
import Supervision
import Testing

@testable import MarketData
@testable import Simulator

/// Everything that the simulated providers can answer is read as it must be, and is in the manual.
@Suite struct ConformanceTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let provider: String
        let kind: ProviderKind
        let answer: Simulator.ProviderAnswer

        var testDescription: String { "\(provider) \(answer.name)" }
    }

    static let cases = SimulatedProvider.answers.flatMap { provider, answers in
        let kind = ProviderKind(rawValue: provider) ?? .yahoo
        return answers.map { Case(provider: provider, kind: kind, answer: $0) }
    }

    @Test(arguments: cases)
    func `each answer of a simulated provider has the verdict that its table says`(one: Case) {
        let time = 1_780_000_000
        let question = Simulator.ProviderQuestion(symbol: "M&M.NS", price: "150.25", time: time)
        guard case .answer(let status, let type, let fields, let body) = one.answer.reply(question) else {
            // No answer is the client's business.
            #expect(one.answer.verdict == .unreachable)
            return
        }
        var head = HTTPFields()
        if let type { head.append("Content-Type", type) }
        for (name, value) in fields { head.append(name, value) }
        let answer = MarketData.ProviderAnswer(
            status: HTTPStatus(rawValue: status),
            fields: head,
            body: body,
            receivedAt: Timestamp(unixTime: .seconds(time))
        )
        #expect(one.kind.format.read(answer, symbol: "M&M.NS").word == one.answer.verdict.rawValue)
    }

    @Test func `the manual of the simulator lists each answer with its verdict`() throws {
        let root = Files.parent(of: Files.parent(of: Files.parent(of: #filePath)))
        let manual = try #require(Files.text("\(root)/Sources/Simulator/README.md"))
        for (provider, answers) in SimulatedProvider.answers {
            let section = manual.split(separator: "\n### ").first { $0.hasPrefix("`\(provider)`") }
            // Up to what stands there about the exchange.
            let table = section?.split(separator: "\n## ").first ?? ""
            let rows = table.split(separator: "\n").filter { $0.hasPrefix("| `") }
            let expected = answers.map { "| `\($0.name)` | \($0.meaning) | \($0.verdict.rawValue) |" }
            #expect(rows.map(String.init) == expected, "\(provider):\n\(expected.joined(separator: "\n"))")
        }
    }
}

extension ProviderVerdict {
    /// As the simulator names it.
    fileprivate var word: String {
        switch self {
        case .price: "price"
        case .unknownSymbol: "unknown_symbol"
        case .noData: "no_data"
        case .refused: "refused"
        case .malformed: "malformed"
        case .failed: "unreachable"
        }
    }
}
