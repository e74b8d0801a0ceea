import Reactor
import TestSupport
import Testing

@testable import Orders

/// Two followers, a database of the same rules as `sql/0016_executions.sql` and an exchange, under simulated time, with
/// everything failing at random. Each seed is one schedule, the same whenever it is run.
@Suite struct ReportScheduleTests {
    @Test func `whatever fails when, every report is taken in, in order, and none is passed over`() async {
        let faults = await Schedules.faults(count: 2000) { World(seed: $0).run() }
        #expect(faults == [])
    }
}

private final class Worker {
    let number: Int
    var machine: ReportMachine
    var wakeAt = Instant.distantFuture
    /// Of its stream: the number, and up to where it was sent; nil without one.
    var stream: (number: Int, position: Int)?
    /// A stopped process learns of nothing before.
    var stoppedUntil = Instant.origin

    init(_ number: Int, _ limits: ReportMachine.Limits) {
        self.number = number
        machine = ReportMachine(limits: limits)
    }
}

private final class World {
    private struct Event {
        let time: Instant
        let number: Int
        let body: () -> Void
    }

    private static let step = Duration.milliseconds(50)
    private static let faultsEnd = Instant.origin + .seconds(40)
    private static let end = Instant.origin + .seconds(150)

    private var random: SplitMix64
    private var now = Instant.origin
    private var events: [Event] = []
    private var eventsMade = 0
    private var workers: [Worker] = []
    private var faults: [String] = []

    /// Reports of the exchange, which may begin anew once.
    private var last = 0
    /// Numbers that were counted and are not there.
    private var voids: Set<Int> = []
    /// Those of its lost book too.
    private var allVoids: Set<Int> = []
    private var isAway = false
    /// It counts anew, and nobody has heard of it.
    private var isAnew = false

    private var owner: Int?
    private var leaseUntil = Instant.origin
    private var through = 0
    private var taken: Set<Int> = []

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        var limits = ReportMachine.Limits()
        limits.storeMax = 4
        limits.readyMax = 12
        limits.fetchMax = 5
        limits.missingTime = .seconds(4)
        workers = (0..<2).map { Worker($0, limits) }
    }

    func run() -> [String] {
        for worker in workers { perform(worker) { $0.start(now: $1) } }
        every(Self.step) { [self] in exchange() }
        every(.seconds(1)) { [self] in beat() }
        every(.seconds(3)) { [self] in misfortune() }
        while let event = events.popLast(), event.time < Self.end, faults.isEmpty {
            now = event.time
            event.body()
        }
        let there = (1..<last + 1).filter { !voids.contains($0) }
        let missing = there.filter { !taken.contains($0) }
        if !missing.isEmpty { faults.append("not taken in: \(missing)") }
        if through < there.last ?? 0 { faults.append("the position is \(through) of \(last)") }
        return faults
    }

    // MARK: Time

    private func draw(_ share: Double) -> Bool {
        now < Self.faultsEnd && Double.random(in: 0..<1, using: &random) < share
    }

    private func after(_ duration: Duration, _ body: @escaping () -> Void) {
        eventsMade += 1
        let event = Event(time: now + duration, number: eventsMade, body: body)
        var index = events.count
        while index > 0, (events[index - 1].time, events[index - 1].number) < (event.time, event.number) { index -= 1 }
        events.insert(event, at: index)
    }

    private func every(_ interval: Duration, _ body: @escaping () -> Void) {
        after(interval) { [self] in
            body()
            every(interval, body)
        }
    }

    private func transit() -> Duration { .milliseconds(Int64.random(in: 0...(draw(0.05) ? 7000 : 80), using: &random)) }

    private func misfortune() {
        if draw(0.2) { isAway = true } else if isAway, !draw(0.5) { isAway = false }
        if now >= Self.faultsEnd { isAway = false }
        if isAway { for worker in workers { endStream(worker) } }
        for worker in workers where draw(0.15) {
            worker.stoppedUntil = now + .milliseconds(Int64.random(in: 0...9000, using: &random))
        }
        if draw(0.02), last > 0, through > 0 {
            // It has lost its book.
            (last, isAnew) = (0, true)
            voids = []
            taken = []
            for worker in workers { endStream(worker) }
        }
    }

    // MARK: A worker

    private func perform(_ worker: Worker, _ event: (inout ReportMachine, Instant) -> [ReportMachine.Action]) {
        for action in event(&worker.machine, now) { perform(action, worker) }
        let next = worker.machine.nextDeadline
        guard next < worker.wakeAt || worker.wakeAt <= now else { return }
        worker.wakeAt = next
        guard next < Self.end else { return }
        after(max(.zero, next - now)) { [self] in
            guard worker.wakeAt == next else { return }
            worker.wakeAt = .distantFuture
            tell(worker) { $0.timePassed(now: $1) }
        }
    }

    /// Something happens to a process, or will once it goes on.
    private func tell(_ worker: Worker, _ event: @escaping (inout ReportMachine, Instant) -> [ReportMachine.Action]) {
        guard worker.stoppedUntil > now else { return perform(worker, event) }
        after(worker.stoppedUntil - now) { [self] in tell(worker, event) }
    }

    private func perform(_ action: ReportMachine.Action, _ worker: Worker) {
        switch action {
        case .lease: lease(worker)
        case .open(let number, let position):
            worker.stream = isAway ? nil : (number, position)
            after(transit()) { [self] in
                guard worker.stream?.number == number else {
                    return tell(worker) { $0.streamEnded(number, now: $1) }
                }
                // A stream begins with a heartbeat.
                beat(worker)
            }
        case .close: worker.stream = nil
        case .fetch(let round, let position, let count): fetch(worker, round, position, count)
        case .store(let reports, let position): store(worker, reports.map(\.number), position)
        case .compare(let round, _): compare(worker, round)
        case .alarm(.missing(let position, let count)):
            let passedOver = Set(position + 1...position + count)
            if !isAnew, !passedOver.isSubset(of: allVoids) { faults.append("passed over \(passedOver)") }
        case .alarm(.rewound): isAnew = false
        case .alarm(.unusable): break
        }
    }

    // MARK: The database

    private func lease(_ worker: Worker) {
        after(transit()) { [self] in
            guard !draw(0.1) else { return answer(worker, .failed) }
            guard owner == worker.number || leaseUntil <= now else { return answer(worker, .taken) }
            owner = worker.number
            leaseUntil = now + .seconds(6)
            answer(worker, draw(0.05) ? .failed : .held(through: through))
        }
    }

    private func answer(_ worker: Worker, _ outcome: ReportMachine.LeaseOutcome) {
        after(transit()) { [self] in tell(worker) { $0.leased(outcome, now: $1) } }
    }

    private func store(_ worker: Worker, _ numbers: [Int], _ position: Int) {
        if numbers != numbers.sorted() || numbers.last != position { faults.append("out of order: \(numbers)") }
        after(transit()) { [self] in
            var outcome = ReportMachine.StoreOutcome.failed
            if draw(0.1) {
                // Not committed, or committed without an answer.
            } else if owner != worker.number || leaseUntil <= now {
                outcome = .lost
            } else {
                through = position
                taken.formUnion(numbers)
                if !draw(0.1) { outcome = .stored }
            }
            after(transit()) { [self] in tell(worker) { $0.stored(outcome, now: $1) } }
        }
    }

    /// A snapshot is taken in as reports are, and says nothing of the position.
    private func compare(_ worker: Worker, _ round: Int) {
        after(transit()) { [self] in
            let isHeld = owner == worker.number && leaseUntil > now && !isAway
            let due = min(last, worker.machine.through)
            if isHeld, due > 0 { taken.formUnion((1...due).filter { !voids.contains($0) }) }
            tell(worker) { $0.compared(isHeld ? .compared(next: nil) : .failed, in: round, now: $1) }
        }
    }

    // MARK: The exchange

    private func exchange() {
        if now < Self.faultsEnd, !isAway, !isAnew {
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                last += 1
                if draw(0.003) {
                    voids.insert(last)
                    allVoids.insert(last)
                }
            }
        }
        for worker in workers { send(worker) }
    }

    private func send(_ worker: Worker) {
        guard let stream = worker.stream, !worker.machine.isFull, stream.position < last, worker.stoppedUntil <= now
        else { return }
        var lines: [ReportLine] = []
        for number in stream.position + 1...last where !voids.contains(number) && !draw(0.05) {
            lines.append(.report(ReportMachineTests.report(number)))
            if draw(0.05) { lines.append(lines[0]) }
        }
        if draw(0.2) { lines.shuffle(using: &random) }
        worker.stream?.position = last
        guard !lines.isEmpty else { return }
        perform(worker) { $0.came(lines, on: stream.number, now: $1) }
        if draw(0.02) { endStream(worker) }
    }

    private func endStream(_ worker: Worker) {
        guard let number = worker.stream?.number else { return }
        worker.stream = nil
        tell(worker) { $0.streamEnded(number, now: $1) }
    }

    private func beat() {
        guard !isAway, !draw(0.3) else { return }
        for worker in workers { beat(worker) }
    }

    private func beat(_ worker: Worker) {
        guard worker.stoppedUntil <= now, let stream = worker.stream, last <= stream.position || isAnew else { return }
        let last = last
        perform(worker) { $0.came([.heartbeat(last: last)], on: stream.number, now: $1) }
    }

    private func fetch(_ worker: Worker, _ round: Int, _ position: Int, _ count: Int) {
        after(transit()) { [self] in
            var reports: [ExecutionReport]?
            if !isAway, !draw(0.1) {
                let there = (position + 1..<position + count + 1).filter { $0 <= last && !voids.contains($0) }
                reports = there.map { ReportMachineTests.report($0) }
            }
            let answer = reports
            after(transit()) { [self] in tell(worker) { $0.fetched(answer, in: round, now: $1) } }
        }
    }
}
