import Reactor
import TestSupport
import Testing

@testable import Outbox

/// The relay's decisions under simulated time, with everything around it failing at random: three relays, a database of
/// the same rules as `sql/0004_outbox.sql`, a destination. Each seed is one schedule, the same whenever it is run.
@Suite struct RelayScheduleTests {
    @Test func `whatever fails when, each message has its effect once, or provably never`() async {
        let faults = await Schedules.faults(count: 10_000) { World(seed: $0).run() }
        #expect(faults == [])
    }

    @Test func `what was claimed again is not handed back once more by the settlement whose answer was lost`() {
        var machine = RelayMachine(limits: RelayMachine.Limits(), random: SplitMix64(seed: 1))
        var now = Instant.origin
        var message = RelayMessage(id: 1, key: "1")
        _ = machine.start(now: now)
        _ = machine.entered(1, succeeded: true, now: now)
        _ = machine.tookOver(1, [], now: now)
        #expect(
            machine.claimed(1, [message], now: now).contains { if case .send(1, _, _) = $0 { true } else { false } }
        )
        #expect(settlements(machine.sent(1, .failed("x"), now: now)).map(\.verdict) == [.failed("x")])
        // The hand-back is stored, which its answer does not tell; so the message is there to be claimed.
        now = now + .seconds(1)
        _ = machine.timePassed(now: now)
        message.attempts = 1
        #expect(
            machine.claimed(1, [message], now: now).contains { if case .send(2, _, _) = $0 { true } else { false } }
        )
        var later = machine.settled(1, .failed, now: now)
        now = now + .seconds(10)
        later += machine.timePassed(now: now)
        #expect(settlements(later).isEmpty)
        #expect(settlements(machine.sent(2, .done, now: now)).map(\.verdict) == [.done])
        #expect(machine.settled(2, .stored, now: now).count <= 1)
        #expect(machine.heldCount == 0)
    }

    private func settlements(_ actions: [RelayMachine.Action]) -> [RelaySettlement] {
        actions.flatMap { if case .settle(_, _, let settlements) = $0 { settlements } else { [RelaySettlement]() } }
    }
}

/// What the destination does with a message that it has.
private enum Repetition: CaseIterable {
    case recognised, refused, executed
}

/// A process with a relay in it.
private final class Process {
    var machine: RelayMachine
    let number: Int
    var isDead = false
    /// It does nothing before; what happens meanwhile, it learns then.
    var stoppedUntil = Instant.origin

    init(_ number: Int, _ limits: RelayMachine.Limits, _ random: SplitMix64) {
        self.number = number
        machine = RelayMachine(limits: limits, random: random)
    }
}

private final class World {
    private struct Attempt {
        var owner: Int?
        var attempts = 0
        var due = Instant.origin
        var uncertain: Instant?
    }

    private struct Event {
        let time: Instant
        let number: Int
        let body: () -> Void
    }

    private static let timeout = Duration.seconds(5)
    private static let longestTransit = Duration.seconds(12)

    private var random: SplitMix64
    private var limits = RelayMachine.Limits()
    private let repetition: Repetition
    private var now = Instant.origin
    private var events: [Event] = []
    private var eventsMade = 0
    private var processes: [Process] = []
    private var processesMade = 0
    private var faultsEnd = Instant.origin + .seconds(40)
    private var faults: [String] = []

    private var messages: [Int64: RelayMessage] = [:]
    /// Have an id, and are not committed yet.
    private var uncommitted: Set<Int64> = []
    private var added: [Int64: RelayMessage] = [:]
    private var attempts: [Int64: Attempt] = [:]
    private var leases: [Int: Instant] = [:]
    private var refusedForGood: Set<Int64> = []
    private var executions: [Int64: Int] = [:]
    private var executionOrder: [Int64] = []
    private var verdicts: [Int64: String] = [:]

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        repetition = Repetition.allCases[Int(seed % 3)]
        limits.inFlightMax = 4
        limits.pollInterval = .seconds(2)
        limits.sweepInterval = .seconds(6)
        limits.takeOverInterval = .seconds(3)
        limits.failuresMax = 3
        limits.backoffCap = .seconds(8)
        limits.looksUpFirst = repetition == .executed
        limits.settleTime = .seconds(15)
    }

    // MARK: Time

    private func draw(_ share: Double) -> Bool { now < faultsEnd && Double.random(in: 0..<1, using: &random) < share }

    private func delay(upTo most: Duration) -> Duration { most * Double.random(in: 0...1, using: &random) }

    private func after(_ duration: Duration, _ body: @escaping () -> Void) {
        eventsMade += 1
        let event = Event(time: now + duration, number: eventsMade, body: body)
        var index = events.count
        // Few wait, and most of them for long: from the end, where the earliest are.
        while index > 0, (events[index - 1].time, events[index - 1].number) < (event.time, event.number) { index -= 1 }
        events.insert(event, at: index)
    }

    func run() -> [String] {
        // What is still to come holds this object.
        defer { events = [] }
        for _ in 0..<3 { startProcess() }
        // Ids are not in the order of the commits.
        for id in 1...Int64.random(in: 4...10, using: &random) {
            after(.seconds(id * 2)) {
                self.uncommitted.insert(id)
                self.after(self.delay(upTo: .seconds(8))) { self.add(id) }
            }
        }
        for _ in 0..<6 { after(delay(upTo: .seconds(40))) { self.disturb() } }
        while let event = events.popLast(), now < Instant.origin + .seconds(300) {
            now = event.time
            event.body()
            if isQuiet, messages.isEmpty { break }
        }
        judge()
        return faults
    }

    private var isQuiet: Bool { now > faultsEnd + Self.longestTransit }

    private func add(_ id: Int64) {
        uncommitted.remove(id)
        var message = RelayMessage(id: id, key: "\(id)", sequenceKey: id % 3 == 0 ? "s" : nil)
        if id % 4 == 1 { message.sendUntil = now + delay(upTo: .seconds(30)) }
        if id % 5 == 2, message.sequenceKey == nil { refusedForGood.insert(id) }
        messages[id] = message
        added[id] = message
    }

    private func disturb() {
        switch Int.random(in: 0..<3, using: &random) {
        case 0:
            guard let victim = processes.randomElement(using: &random) else { return }
            victim.isDead = true
            processes.removeAll { $0 === victim }
            after(delay(upTo: .seconds(3))) { self.startProcess() }
        case 1:
            processes.randomElement(using: &random)?.stoppedUntil = now + delay(upTo: .seconds(25))
        default:
            guard let id = messages.keys.sorted().randomElement(using: &random) else { return }
            withdraw(id)
        }
    }

    private func withdraw(_ id: Int64) {
        if let attempt = attempts[id], attempt.owner != nil || attempt.uncertain != nil { return }
        if executions[id] != nil { faults.append("\(id) could be withdrawn though it was executed") }
        remove(id, "withdrawn")
    }

    // MARK: Relays

    private func startProcess() {
        processesMade += 1
        let process = Process(processesMade, limits, SplitMix64(seed: random.next()))
        processes.append(process)
        tell(process) { $0.start(now: $1) }
    }

    /// Lets a process know of something, once it runs.
    private func tell(_ process: Process, _ event: @escaping (inout RelayMachine, Instant) -> [RelayMachine.Action]) {
        guard !process.isDead else { return }
        if process.stoppedUntil > now {
            return after(process.stoppedUntil - now) { self.tell(process, event) }
        }
        for action in event(&process.machine, now) { perform(action, process) }
        if process.machine.inFlight > limits.inFlightMax { faults.append("\(process.machine.inFlight) in flight") }
        let next = process.machine.nextDeadline
        guard next < .distantFuture else { return }
        after(max(.zero, next - now)) {
            guard process.machine.nextDeadline <= self.now else { return }
            self.tell(process) { $0.timePassed(now: $1) }
        }
    }

    private func perform(_ action: RelayMachine.Action, _ process: Process) {
        func owner(_ generation: Int) -> Int { process.number * 1000 + generation }
        switch action {
        case .enter(let generation):
            ask(process) {
                self.leases[owner(generation)] = self.now + self.limits.lease
            } reply: { done in
                { $0.entered(generation, succeeded: done != nil, now: $1) }
            }
        case .renew(let generation):
            ask(process) {
                self.renew(owner(generation))
            } reply: { done in
                { $0.renewed(generation, done.map { $0 ? .held : .ended } ?? .unknown, now: $1) }
            }
        case .leave, .end:
            break
        case .claim(let generation, let above, let maximum):
            ask(process) {
                self.claim(owner(generation), above, maximum)
            } reply: { found in
                { $0.claimed(generation, found, now: $1) }
            }
        case .takeOver(let generation, let maximum):
            ask(process) {
                self.takeOver(owner(generation), maximum)
            } reply: { found in
                { $0.tookOver(generation, found, now: $1) }
            }
        case .send(let token, let message, let deadline): send(token, message, deadline, process)
        case .lookUp(let token, let message): lookUp(token, message, process)
        case .settle(let number, let generation, let settlements):
            ask(process) {
                self.settle(settlements, owner(generation))
            } reply: { done in
                { $0.settled(number, done != nil ? .stored : .failed, now: $1) }
            }
        }
    }

    /// A statement: it may not arrive, and its answer may not.
    private func ask<Answer>(
        _ process: Process,
        _ statement: @escaping () -> Answer,
        reply: @escaping (Answer?) -> (inout RelayMachine, Instant) -> [RelayMachine.Action]
    ) {
        after(delay(upTo: .milliseconds(draw(0.05) ? 4000 : 20))) {
            var answer: Answer?
            if !self.draw(0.05) { answer = statement() }
            if self.draw(0.05) { answer = nil }
            self.after(self.delay(upTo: .milliseconds(20))) { self.tell(process, reply(answer)) }
        }
    }

    // MARK: Destination

    private func send(_ token: Int, _ message: RelayMessage, _ deadline: Instant, _ process: Process) {
        guard now < deadline else {
            return after(.zero) { self.tell(process) { $0.sent(token, nil, now: $1) } }
        }
        if let until = message.sendUntil, now >= until { faults.append("\(message.id) was sent after its time") }
        if verdicts[message.id] == "withdrawn" { faults.append("\(message.id) was sent though it was withdrawn") }
        var isAnswered = false
        func answer(_ outcome: SendOutcome) {
            guard !isAnswered else { return }
            isAnswered = true
            tell(process) { $0.sent(token, outcome, now: $1) }
        }
        if draw(0.2) { return after(delay(upTo: .milliseconds(20))) { answer(.failed("refused")) } }
        after(min(Self.timeout, deadline - now)) { answer(.unknown("timed out")) }
        after(delay(upTo: draw(0.15) ? Self.longestTransit : .milliseconds(400))) {
            let outcome = self.execute(message)
            guard !self.draw(0.2) else { return }
            self.after(self.delay(upTo: .milliseconds(20))) { answer(outcome) }
        }
    }

    private func execute(_ message: RelayMessage) -> SendOutcome {
        if executions[message.id] != nil {
            switch repetition {
            case .recognised: return .done
            case .refused: return .duplicate
            case .executed: break
            }
        }
        if refusedForGood.contains(message.id) { return .refused("no") }
        executions[message.id, default: 0] += 1
        executionOrder.append(message.id)
        return .done
    }

    private func lookUp(_ token: Int, _ message: RelayMessage, _ process: Process) {
        after(delay(upTo: .milliseconds(200))) {
            let outcome: LookUpOutcome =
                self.draw(0.2) ? .failed("no answer") : self.executions[message.id] != nil ? .found : .absent
            self.tell(process) { $0.lookedUp(token, outcome, now: $1) }
        }
    }

    // MARK: Database

    private func renew(_ owner: Int) -> Bool {
        guard let until = leases[owner], until > now else { return false }
        leases[owner] = now + limits.lease
        return true
    }

    /// Whether none with a lower id can appear any more.
    private func isFinal(_ id: Int64) -> Bool { !uncommitted.contains { $0 < id } }

    private func isHead(_ message: RelayMessage) -> Bool {
        guard let sequence = message.sequenceKey else { return true }
        guard isFinal(message.id) else { return false }
        return !messages.values.contains { $0.sequenceKey == sequence && $0.id < message.id }
    }

    private func claim(_ owner: Int, _ above: Int64, _ maximum: Int) -> [RelayMessage] {
        guard let until = leases[owner], until > now else { return [] }
        let due = attempts.filter { $0.value.owner == nil && $0.value.due <= now }.keys.sorted().prefix(maximum)
        let free = messages.keys.sorted().filter { id in
            id > above && attempts[id] == nil && messages[id].map(isHead) == true
        }.prefix(maximum - due.count)
        for id in due { attempts[id]?.owner = owner }
        for id in free { attempts[id] = Attempt(owner: owner) }
        return (due + free).compactMap { claimed($0) }
    }

    private func takeOver(_ owner: Int, _ maximum: Int) -> [RelayMessage] {
        guard let until = leases[owner], until > now else { return [] }
        let left = attempts.filter { entry in
            entry.value.owner.map { (leases[$0] ?? .origin) <= now } ?? false
        }.keys.sorted().prefix(maximum)
        for id in left {
            attempts[id]?.owner = owner
            attempts[id]?.uncertain = now
            attempts[id]?.attempts += 1
        }
        return left.compactMap { claimed($0) }
    }

    private func claimed(_ id: Int64) -> RelayMessage? {
        guard var message = messages[id], let attempt = attempts[id] else { return nil }
        message.isFinal = isFinal(id)
        message.attempts = attempt.attempts
        message.uncertainSince = attempt.uncertain
        return message
    }

    private func settle(_ settlements: [RelaySettlement], _ owner: Int) {
        for settlement in settlements {
            let id = settlement.message.id
            let isOwned = attempts[id]?.owner == owner
            switch settlement.verdict {
            case .done:
                if messages[id] != nil { remove(id, "done") }
            case .refused: if isOwned { remove(id, "refused") }
            case .expired: if isOwned { remove(id, "expired") }
            case .failed, .unknown, .returned:
                guard isOwned else { continue }
                attempts[id] = Attempt(
                    owner: nil,
                    attempts: settlement.message.attempts,
                    due: now + settlement.delay,
                    uncertain: settlement.message.uncertainSince
                )
            }
        }
    }

    private func remove(_ id: Int64, _ verdict: String) {
        messages[id] = nil
        attempts[id] = nil
        verdicts[id] = verdict
    }

    // MARK: The end

    private func judge() {
        if !messages.isEmpty { faults.append("\(messages.keys.sorted()) were never settled") }
        for (id, verdict) in verdicts {
            let count = executions[id] ?? 0
            let expected = verdict == "done" ? 1 : 0
            if count != expected { faults.append("\(id) is \(verdict) and was executed \(count) times") }
        }
        let inSequence = executionOrder.filter { added[$0]?.sequenceKey != nil }
        if inSequence != inSequence.sorted() { faults.append("\(inSequence) went out of order") }
    }
}
