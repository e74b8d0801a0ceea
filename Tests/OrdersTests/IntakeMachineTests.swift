import Reactor
import Testing

@testable import Orders

/// What a machine decided, in words that a test can compare.
private struct Decisions: Equatable {
    /// The numbers of the orders of each commit.
    var commits: [Int: [Int]] = [:]
    var answers: [Int: IntakeAnswer] = [:]

    init(_ actions: [IntakeMachine.Action]) {
        for action in actions {
            switch action {
            case .commit(let number, let orders): commits[number] = orders.map(\.number)
            case .answer(let number, let answer): answers[number] = answer
            }
        }
    }

    init(commits: [Int: [Int]] = [:], answers: [Int: IntakeAnswer] = [:]) {
        self.commits = commits
        self.answers = answers
    }
}

extension IntakeMachine {
    // Long before any deadline.
    fileprivate mutating func turnEnded() -> [Action] { turnEnded(now: .origin) }
    fileprivate mutating func committed(_ number: Int, _ verdicts: [IntakeVerdict]) -> [Action] {
        committed(number, verdicts, now: .origin)
    }
    fileprivate mutating func failed(_ number: Int, _ failure: CommitFailure) -> [Action] {
        failed(number, failure, now: .origin)
    }
}

@Suite struct IntakeMachineTests {
    /// Two commits at once.
    private var two: IntakeMachine.Limits {
        var limits = IntakeMachine.Limits()
        limits.commitsMax = 2
        return limits
    }

    private let start = Instant.origin

    private func id(_ number: Int) -> OrderID {
        var source = OrderIDSource()
        var random = SteadyRandom()
        return source.next(unixTime: .milliseconds(number), using: &random)
    }

    private func order(_ number: Int, key: String? = nil, quantity: Int = 1, deadline: Int = 10) -> OfferedOrder {
        OfferedOrder(
            number: number,
            id: id(number),
            form: OrderForm(
                kind: .market,
                side: .buy,
                instrument: "DE000A0Q4RZ3",
                limitPrice: nil,
                quantity: quantity,
                expiresAt: nil
            ),
            owner: nil,
            key: key.map { OfferedOrder.Key(owner: nil, text: $0) },
            deadline: start + .seconds(deadline)
        )
    }

    @Test func `what comes in one turn is one commit, another begins when as many wait, and the rest is the next`() {
        var machine = IntakeMachine(limits: two)
        #expect(Decisions(machine.offered(order(1))) == Decisions())
        _ = machine.offered(order(2))
        #expect(Decisions(machine.turnEnded()) == Decisions(commits: [1: [1, 2]]))
        _ = machine.offered(order(3))
        #expect(Decisions(machine.turnEnded()) == Decisions())
        _ = machine.offered(order(4))
        #expect(Decisions(machine.turnEnded()) == Decisions(commits: [2: [3, 4]]))
        for number in 5...7 {
            _ = machine.offered(order(number))
            #expect(Decisions(machine.turnEnded()) == Decisions())
        }
        #expect(
            Decisions(machine.committed(1, [.created, .created]))
                == Decisions(commits: [3: [5, 6, 7]], answers: [1: .created(id(1)), 2: .created(id(2))])
        )
        #expect(machine.requestCount == 5)
    }

    @Test func `what is late is not committed, though nobody was told so yet`() {
        var limits = two
        limits.commitsMax = 1
        var machine = IntakeMachine(limits: limits)
        for number in 1...3 { _ = machine.offered(order(number, deadline: number == 2 ? 0 : 10)) }
        #expect(Decisions(machine.turnEnded()) == Decisions(commits: [1: [1, 3]], answers: [2: .refused]))
        // Who waits for one that is late has his own try.
        _ = machine.offered(order(4, key: "a", deadline: 20))
        _ = machine.offered(order(5, key: "a", deadline: 30))
        let late = start + .seconds(25)
        #expect(
            Decisions(machine.committed(1, [.created, .created], now: late))
                == Decisions(
                    commits: [2: [5]],
                    answers: [1: .created(id(1)), 3: .created(id(3)), 4: .refused]
                )
        )
        #expect(Decisions(machine.committed(2, [.created], now: late)) == Decisions(answers: [5: .created(id(5))]))
        #expect(machine.requestCount == 0)
    }

    @Test func `a part of a commit that was refused is not tried again when it is late`() {
        var machine = IntakeMachine(limits: two)
        for number in 1...2 { _ = machine.offered(order(number, deadline: number * 10)) }
        _ = machine.turnEnded()
        #expect(
            Decisions(machine.failed(1, .data, now: start + .seconds(15)))
                == Decisions(commits: [2: [2]], answers: [1: .refused])
        )
    }

    @Test func `a commit has a bound, and so have the requests that wait`() {
        var limits = two
        limits.ordersPerCommitMax = 2
        limits.requestsMax = 5
        var machine = IntakeMachine(limits: limits)
        for number in 1...5 { _ = machine.offered(order(number)) }
        #expect(Decisions(machine.offered(order(6))) == Decisions(answers: [6: .refused]))
        #expect(Decisions(machine.turnEnded()) == Decisions(commits: [1: [1, 2], 2: [3, 4]]))
        let next = Decisions(machine.committed(2, [.created, .created]))
        #expect(next == Decisions(commits: [3: [5]], answers: [3: .created(id(3)), 4: .created(id(4))]))
        #expect(Decisions(machine.offered(order(7))) == Decisions())
    }

    @Test func `of requests with one key the first is committed, and the others are told what it is told`() {
        var machine = IntakeMachine(limits: two)
        _ = machine.offered(order(1, key: "a"))
        _ = machine.offered(order(2, key: "a"))
        #expect(Decisions(machine.turnEnded()) == Decisions(commits: [1: [1]]))
        _ = machine.offered(order(3, key: "a", quantity: 2))
        _ = machine.offered(order(4, key: "b"))
        #expect(Decisions(machine.turnEnded()) == Decisions(commits: [2: [4]]))
        #expect(
            Decisions(machine.committed(1, [.created]))
                == Decisions(answers: [1: .created(id(1)), 2: .replayed(id(1)), 3: .otherMembers])
        )
        #expect(
            Decisions(machine.committed(2, [.replayed(id(9))])) == Decisions(answers: [4: .replayed(id(9))])
        )
        #expect(machine.requestCount == 0)
        #expect(machine.nextDeadline == nil)
    }

    @Test func `who waited for a request that came to nothing has his own try`() {
        for verdict in [IntakeVerdict.otherMembers, .past] {
            var machine = IntakeMachine(limits: two)
            _ = machine.offered(order(1, key: "a"))
            _ = machine.offered(order(2, key: "a", quantity: 2))
            _ = machine.offered(order(3, key: "a"))
            _ = machine.turnEnded()
            #expect(Decisions(machine.committed(1, [verdict])).commits == [2: [2]])
            #expect(Decisions(machine.failed(2, .other)) == Decisions(commits: [3: [3]], answers: [2: .failed]))
        }
    }

    @Test func `a commit that is refused for a value is halved until only the faulty order is left`() {
        var machine = IntakeMachine(limits: two)
        for number in 1...5 { _ = machine.offered(order(number)) }
        _ = machine.turnEnded()
        #expect(Decisions(machine.failed(1, .data)) == Decisions(commits: [2: [1, 2], 3: [3, 4, 5]]))
        #expect(Decisions(machine.committed(2, [.created, .created])).answers.count == 2)
        #expect(Decisions(machine.failed(3, .data)) == Decisions(commits: [4: [3], 5: [4, 5]]))
        #expect(Decisions(machine.failed(4, .data)) == Decisions(answers: [3: .failed]))
        #expect(
            Decisions(machine.committed(5, [.created, .created])).answers == [4: .created(id(4)), 5: .created(id(5))]
        )
        #expect(machine.requestCount == 0)
    }

    @Test func `a commit without a known outcome fails all its orders`() {
        var machine = IntakeMachine(limits: two)
        _ = machine.offered(order(1))
        _ = machine.offered(order(2))
        _ = machine.turnEnded()
        #expect(Decisions(machine.failed(1, .other)) == Decisions(answers: [1: .failed, 2: .failed]))
    }

    @Test func `at its deadline a request learns whether it was refused, is unknown, or waits for another`() {
        var limits = IntakeMachine.Limits()
        limits.commitsMax = 1
        var machine = IntakeMachine(limits: limits)
        _ = machine.offered(order(1, key: "a", deadline: 5))
        _ = machine.turnEnded()
        _ = machine.offered(order(2, deadline: 6))
        _ = machine.offered(order(3, key: "a", deadline: 7))
        _ = machine.offered(order(4, key: "a", deadline: 9))
        #expect(machine.nextDeadline == start + .seconds(5))
        #expect(Decisions(machine.deadlinesPassed(now: start + .seconds(5))) == Decisions(answers: [1: .failed]))
        #expect(Decisions(machine.deadlinesPassed(now: start + .seconds(5))) == Decisions())
        #expect(machine.nextDeadline == start + .seconds(6))
        #expect(Decisions(machine.deadlinesPassed(now: start + .seconds(6))) == Decisions(answers: [2: .refused]))
        #expect(
            Decisions(machine.deadlinesPassed(now: start + .seconds(7))) == Decisions(answers: [3: .firstStillRuns])
        )
        // The commit is answered late; who was told already is not told again, and who waits still is.
        #expect(Decisions(machine.committed(1, [.created])) == Decisions(answers: [4: .replayed(id(1))]))
        #expect(machine.requestCount == 0)
    }

    @Test func `a request that ran out of time before its commit leaves its key to the next`() {
        var limits = IntakeMachine.Limits()
        limits.commitsMax = 1
        var machine = IntakeMachine(limits: limits)
        _ = machine.offered(order(1))
        _ = machine.turnEnded()
        _ = machine.offered(order(2, key: "a", deadline: 5))
        _ = machine.offered(order(3, key: "a", deadline: 9))
        #expect(Decisions(machine.deadlinesPassed(now: start + .seconds(5))) == Decisions(answers: [2: .refused]))
        #expect(Decisions(machine.committed(1, [.created])).commits == [2: [3]])
    }

    @Test func `ids ascend, also within a millisecond and when the clock is set back`() {
        var source = OrderIDSource()
        var random = SystemRandomNumberGenerator()
        var last = ""
        for step in 0..<10_000 {
            let time = Duration.milliseconds(1_764_300_000_000 + (step % 3 == 2 ? -50 : step / 100))
            let id = source.next(unixTime: time, using: &random).description
            #expect(id > last)
            #expect(OrderID(id)?.description == id)
            last = id
        }
    }
}

/// The same numbers each time.
private struct SteadyRandom: RandomNumberGenerator {
    func next() -> UInt64 { 7 }
}
