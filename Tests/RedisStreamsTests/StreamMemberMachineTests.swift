import Testing

@testable import RedisStreams

@Suite struct StreamMemberMachineTests {
    private let ids = (1...3).map { StreamPosition(milliseconds: $0, number: 0) }

    @Test func `first the group is seen to, then what may be lost, then it reads`() {
        var machine = StreamMemberMachine()
        #expect(machine.next(isConnected: false, canRead: true, room: 5) == nil)
        #expect(machine.next(isConnected: true, canRead: false, room: 5) == .patrol)
        let (first, second) = (machine.beginPatrol(), machine.beginPatrol())
        #expect(first && !second)
        #expect(machine.next(isConnected: true, canRead: true, room: 5) == nil)
        machine.endPatrol(succeeded: true)
        #expect(machine.next(isConnected: true, canRead: false, room: 5) == nil)
        #expect(machine.next(isConnected: true, canRead: true, room: 0) == nil)
        #expect(machine.next(isConnected: true, canRead: true, room: 5) == .reclaim)
        machine.beginReclaim()
        #expect(machine.next(isConnected: true, canRead: true, room: 5) == nil)
        machine.endReclaim(succeeded: false)
        #expect(machine.next(isConnected: true, canRead: true, room: 5) == .reclaim)
        machine.endReclaim(succeeded: true)
        #expect(machine.next(isConnected: true, canRead: true, room: 5) == .read(5))
        machine.distrust()
        #expect(machine.next(isConnected: true, canRead: true, room: 5) == .reclaim)
        machine.connectionChanged()
        #expect(machine.next(isConnected: true, canRead: true, room: 5) == .patrol)
    }

    @Test func `nothing is done while the group is being made, and then it is looked at anew`() {
        var machine = StreamMemberMachine()
        _ = machine.beginPatrol()
        machine.endPatrol(succeeded: false)
        let (first, second) = (machine.beginGroup(), machine.beginGroup())
        #expect(first && !second)
        #expect(machine.next(isConnected: true, canRead: true, room: 5) == nil)
        let isPatrolling = machine.beginPatrol()
        #expect(!isPatrolling)
        machine.endGroup()
        #expect(machine.next(isConnected: true, canRead: true, room: 5) == .patrol)
    }

    @Test func `an entry is new once, its lease is lost once, and it can be its own again`() {
        var machine = StreamMemberMachine()
        let new = ids.map { machine.given($0) }
        #expect(new == [true, true, true])
        let lost = [machine.lost(ids[0]), machine.lost(ids[0])]
        #expect(lost == [true, false])
        #expect(Set(machine.leased) == [ids[1], ids[2]])
        #expect(Set(machine.ids) == Set(ids))
        let again = machine.given(ids[0])
        #expect(!again)
        #expect(Set(machine.leased) == Set(ids))
        machine.ended(ids[..<2])
        let late = machine.lost(ids[1])
        #expect(!late)
        #expect(machine.ids == [ids[2]])
    }
}
