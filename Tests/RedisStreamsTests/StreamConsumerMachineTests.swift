import Reactor
import Testing

@testable import RedisStreams

@Suite struct StreamConsumerMachineTests {
    private let start = Instant.origin + .seconds(1000)

    private func entry(_ number: UInt64) -> StreamEntry {
        StreamEntry(id: StreamPosition(milliseconds: number, number: 0), fields: [])
    }

    private func given(_ numbers: ClosedRange<UInt64>, _ failures: Int = 0) -> [(entry: StreamEntry, failures: Int)] {
        numbers.map { (entry($0), failures) }
    }

    private func limits(batch: Int = 3) -> StreamConsumerLimits {
        var limits = StreamConsumerLimits()
        limits.batchMax = batch
        limits.heldMax = 5
        limits.firstDelay = .seconds(1)
        limits.delayCap = .seconds(3)
        return limits
    }

    @Test func `entries are handled in batches, oldest first, and acknowledged`() {
        var machine = StreamConsumerMachine(limits())
        var generator = SystemRandomNumberGenerator()
        #expect(machine.given(given(1...4), now: start) == [])
        #expect(machine.room == 1)
        let batch = machine.next(now: start)
        #expect(batch == [entry(1), entry(2), entry(3)])
        #expect(machine.next(now: start) == nil)
        let ids = (batch ?? []).map(\.id)
        #expect(
            machine.handled(ids.map { ($0, .done) }, now: start, using: &generator) == [.acknowledge(ids)]
        )
        #expect(machine.endings() == [.acknowledge(ids)])
        machine.ended(ids)
        #expect(machine.endings() == [])
        #expect(machine.next(now: start) == [entry(4)])
    }

    @Test func `an entry that fails is tried again with back-off, and the third time it is given up`() {
        var machine = StreamConsumerMachine(limits())
        var generator = SystemRandomNumberGenerator()
        _ = machine.given(given(1...1), now: start)
        var now = start
        for attempt in 1...3 {
            #expect(machine.next(now: now) == [entry(1)])
            let actions = machine.handled([(entry(1).id, .failed("no"))], now: now, using: &generator)
            guard attempt < 3 else {
                #expect(actions == [.bury([DeadStreamEntry(entry: entry(1), attempts: 3, error: "no")])])
                break
            }
            #expect(actions == [])
            #expect(machine.next(now: now) == nil)
            let due = machine.nextDue
            #expect(due.map { $0 - now > .zero && $0 - now <= .seconds(attempt) } == true)
            now = due ?? now
        }
        #expect(machine.next(now: now + .seconds(100)) == nil)
        machine.ended([entry(1).id])
        let isEmpty = machine.isEmpty
        #expect(isEmpty)
    }

    @Test func `one that fails does not hold up the others`() {
        var machine = StreamConsumerMachine(limits())
        var generator = SystemRandomNumberGenerator()
        _ = machine.given(given(1...2), now: start)
        _ = machine.next(now: start)
        let actions = machine.handled(
            [(entry(1).id, .failed("no")), (entry(2).id, .done)],
            now: start,
            using: &generator
        )
        #expect(actions == [.acknowledge([entry(2).id])])
        _ = machine.given(given(3...3), now: start)
        #expect(machine.next(now: start) == [entry(3)])
    }

    @Test func `surroundings that are not able cost no attempt`() {
        var machine = StreamConsumerMachine(limits())
        var generator = SystemRandomNumberGenerator()
        _ = machine.given(given(1...1), now: start)
        var now = start
        for _ in 1...10 {
            #expect(machine.next(now: now) == [entry(1)])
            #expect(machine.handled([(entry(1).id, .unable)], now: now, using: &generator) == [])
            #expect(machine.nextDue.map { $0 > now && $0 - now <= .seconds(3) } == true)
            now = machine.nextDue ?? now
        }
        #expect(machine.unfinished.map(\.failures) == [0])
    }

    @Test func `what its consumers did not survive is given up without another try`() {
        var machine = StreamConsumerMachine(limits())
        let actions = machine.given(given(1...1, 3) + given(2...2, 2), now: start)
        #expect(
            actions == [.bury([DeadStreamEntry(entry: entry(1), attempts: 3, error: "its consumers were lost")])]
        )
        #expect(machine.next(now: start) == [entry(2)])
    }

    @Test func `an entry that comes twice is held once`() {
        var machine = StreamConsumerMachine(limits())
        _ = machine.given(given(1...1), now: start)
        _ = machine.next(now: start)
        _ = machine.given(given(1...1, 1), now: start)
        #expect(machine.room == 4)
        let isBusy = machine.isBusy
        #expect(isBusy)
    }

    @Test func `when the group is lost, only what is being handled is kept`() {
        var machine = StreamConsumerMachine(limits(batch: 1))
        var generator = SystemRandomNumberGenerator()
        _ = machine.given(given(1...2), now: start)
        _ = machine.next(now: start)
        #expect(machine.groupLost() == [entry(2).id])
        #expect(
            machine.handled([(entry(1).id, .done)], now: start, using: &generator) == [.acknowledge([entry(1).id])]
        )
        #expect(machine.next(now: start) == nil)
    }

    @Test(arguments: ["1-2", "0-0", "18446744073709551615-1"]) func `a position is read as it is written`(text: String)
    {
        #expect(StreamPosition(text)?.description == text)
    }

    @Test func `positions ascend by time, then by number`() throws {
        let positions = try ["5-10", "5-9", "10-0"].map { try #require(StreamPosition($0)) }
        #expect(positions.sorted().map(\.description) == ["5-9", "5-10", "10-0"])
    }

    @Test(arguments: ["", "1", "1-", "-1", "1-2-3", "a-1", "18446744073709551616-1"])
    func `what is no position is none`(text: String) {
        #expect(StreamPosition(text) == nil)
    }
}
