import Testing

@testable import Postgres

/// A pipeline of words, which says what it does in words.
private final class Conversation {
    private var pipeline = Pipeline<String, String>()

    /// Submits a read of a prepared statement.
    func read(_ query: String, statement: Int? = 1) -> String {
        describe(pipeline.submitted(.init(query: query, statement: statement, isReading: true)))
    }

    /// Submits a statement with effects.
    func write(_ query: String, statement: Int? = nil) -> String {
        describe(pipeline.submitted(.init(query: query, statement: statement, isReading: false)))
    }

    func turnEnded() -> String { pipeline.turnEnded() ? "sync" : "" }

    /// Feeds replies, one word each, and names the actions that are not "wait".
    func received(_ replies: String) -> [String] {
        var actions: [String] = []
        for word in replies.split(separator: " ") {
            switch pipeline.received(reply(String(word))) {
            case .wait: break
            case .finish(let query, let response): actions.append("\(query)=\(response)")
            case .resend(let sending):
                actions.append("resend: " + describe(pipeline.submitted(sending)))
            case .abandonConnection: actions.append("abandon")
            }
        }
        return actions
    }

    func connectionLost() -> [String] { pipeline.connectionLost().map(\.query) }

    var isEmpty: Bool { pipeline.isEmpty }
    var statementsInFlight: Int { pipeline.statementsInFlight }

    private func reply(_ word: String) -> Pipeline<String, String>.Reply {
        switch word {
        case ".": .end
        case "|": .synchronized
        case "aborted": .aborted
        case "unknown": .failure("unknown", .unknownStatement)
        case "known": .failure("known", .knownStatement)
        case "stale": .failure("stale", .stalePlan)
        case let word where word.hasPrefix("!"): .failure(word, .other)
        default: .success(word)
        }
    }

    private func describe(_ plan: Pipeline<String, String>.SendPlan) -> String {
        var words: [String] = []
        if plan.endsOpenSegment { words.append("sync") }
        if let generation = plan.preparesGeneration { words.append("prepare\(generation) sync") }
        words.append(plan.generation.map { "execute\($0)" } ?? "execute")
        if plan.endsOwnSegment { words.append("sync") }
        return words.joined(separator: " ")
    }
}

@Suite struct PipelineTests {
    @Test func `a statement is prepared before its first use only, in a segment of its own`() {
        let conversation = Conversation()
        #expect(conversation.read("a") == "prepare1 sync execute1")
        #expect(conversation.read("b") == "execute1")
        #expect(conversation.turnEnded() == "sync")
        #expect(conversation.received("ok . | A . B . |") == ["a=A", "b=B"])
        #expect(conversation.isEmpty)
        #expect(conversation.read("c") == "execute1")
    }

    @Test func `an error fails its own read, and those behind it are sent again, each alone`() {
        let conversation = Conversation()
        _ = conversation.read("a")
        _ = conversation.read("b")
        _ = conversation.read("c")
        _ = conversation.turnEnded()
        #expect(
            conversation.received("ok . | !division . aborted . aborted . |") == [
                "a=!division", "resend: execute1 sync", "resend: execute1 sync",
            ]
        )
        #expect(conversation.received("B . | C . |") == ["b=B", "c=C"])
        #expect(conversation.isEmpty)
    }

    @Test func `a statement with effects is alone in its segment and answered by its sync`() {
        let conversation = Conversation()
        _ = conversation.read("a", statement: nil)
        #expect(conversation.write("w") == "sync execute sync")
        #expect(conversation.turnEnded() == "")
        #expect(conversation.received("A . |") == ["a=A"])
        #expect(conversation.received("W .") == [])
        #expect(conversation.received("|") == ["w=W"])
    }

    @Test func `a commit that fails fails the statement, though its result was good`() {
        let conversation = Conversation()
        _ = conversation.write("w")
        _ = conversation.write("v")
        #expect(conversation.received("W . !deferred . | V . |") == ["w=!deferred", "v=V"])
        #expect(conversation.isEmpty)
    }

    @Test func `a preparation that fails is the reason given to all that relied on it`() {
        let conversation = Conversation()
        _ = conversation.read("a")
        _ = conversation.write("w", statement: 1)
        _ = conversation.read("b")
        _ = conversation.turnEnded()
        #expect(
            conversation.received("!syntax . | unknown . | unknown . | unknown . |") == [
                "a=!syntax", "w=!syntax", "b=!syntax",
            ]
        )
        // Perhaps the table exists by now.
        #expect(conversation.read("c") == "prepare1 sync execute1")
    }

    @Test func `a statement that the session has already is as good as prepared`() {
        let conversation = Conversation()
        _ = conversation.write("a", statement: 1)
        #expect(conversation.received("known . | A . |") == ["a=A"])
        #expect(conversation.write("b", statement: 1) == "execute1 sync")
    }

    @Test func `what met a session without the statement is sent as text, and the next one prepares it again`() {
        let conversation = Conversation()
        _ = conversation.write("a", statement: 1)
        #expect(conversation.received("ok . | A . |") == ["a=A"])
        _ = conversation.write("b", statement: 1)
        _ = conversation.write("c", statement: 1)
        #expect(
            conversation.received("unknown . | unknown . |") == ["resend: execute sync", "resend: execute sync"]
        )
        #expect(conversation.write("d", statement: 1) == "prepare1 sync execute1 sync")
        #expect(conversation.received("B . | C . | ok . | D . |") == ["b=B", "c=C", "d=D"])
    }

    @Test func `a stale plan is replaced under another name, and what met it is sent as text`() {
        let conversation = Conversation()
        _ = conversation.write("a", statement: 1)
        #expect(conversation.received("ok . | stale . |") == ["resend: execute sync"])
        #expect(conversation.write("b", statement: 1) == "prepare2 sync execute2 sync")
        #expect(conversation.received("stale . | ok . | B . |") == ["a=stale", "b=B"])
    }

    @Test func `a long row of reads is cut into segments`() {
        let conversation = Conversation()
        let plans = (1...33).map { conversation.read("\($0)", statement: nil) }
        #expect(plans.indices.filter { plans[$0] == "execute sync" } == [15, 31])
        #expect(conversation.turnEnded() == "sync")
        #expect(conversation.statementsInFlight == 33)
    }

    @Test func `a result may arrive before the sync of its segment is sent`() {
        let conversation = Conversation()
        _ = conversation.read("a", statement: nil)
        #expect(conversation.received("A .") == ["a=A"])
        #expect(conversation.turnEnded() == "sync")
        #expect(conversation.received("|") == [])
        #expect(conversation.isEmpty)
    }

    @Test func `a lost connection gives back what has no answer, also what is not known to be committed`() {
        let conversation = Conversation()
        _ = conversation.write("w")
        _ = conversation.read("a")
        _ = conversation.read("b")
        _ = conversation.turnEnded()
        #expect(conversation.received("W .") == [])
        #expect(conversation.connectionLost() == ["w", "a", "b"])
        #expect(conversation.isEmpty)
        #expect(conversation.statementsInFlight == 0)
    }

    @Test(arguments: ["A", ".", "|", "aborted"])
    func `a reply to nothing is a reason to abandon the connection`(reply: String) {
        let conversation = Conversation()
        #expect(conversation.received(reply) == ["abandon"])
    }

    @Test(arguments: [".", "|", "aborted", "A |", "A . B", "A . aborted", "A . .", "A . !deferred . ."])
    func `a reply out of order is a reason to abandon the connection`(replies: String) {
        let conversation = Conversation()
        _ = conversation.write("w")
        #expect(conversation.received(replies).last == "abandon")
    }
}
