import Reactor
import Testing

@testable import Redis

@Suite struct PendingCommandsTests {
    private let start = Instant.now

    private func at(_ milliseconds: Int) -> Instant { start + .milliseconds(milliseconds) }

    @Test func `replies go to the waiters in order`() {
        var pending = PendingCommands<String>()
        for name in ["a", "b", "c"] { pending.sent(name, deadline: at(10), stallsAt: at(50)) }
        #expect(pending.count == 3)
        #expect(pending.answered() == "a")
        #expect(pending.answered() == "b")
        pending.sent("d", deadline: at(20), stallsAt: at(50))
        #expect(pending.answered() == "c")
        #expect(pending.answered() == "d")
        #expect(pending.count == 0)
        #expect(pending.nextCheck == nil)
    }

    @Test func `a late command fails its waiter alone and keeps its place`() {
        var pending = PendingCommands<String>()
        pending.sent("slow", deadline: at(10), stallsAt: at(50))
        pending.sent("patient", deadline: at(40), stallsAt: at(50))
        #expect(pending.nextCheck == at(10))
        #expect(pending.expire(now: at(9)).isEmpty)
        #expect(pending.expire(now: at(10)) == ["slow"])
        #expect(pending.nextCheck == at(40))
        #expect(pending.answered() == nil, "the late reply belongs to nobody")
        #expect(pending.answered() == "patient")
    }

    @Test func `a later command with an earlier deadline is checked first`() {
        var pending = PendingCommands<String>()
        pending.sent("patient", deadline: at(40), stallsAt: at(50))
        pending.sent("hasty", deadline: at(5), stallsAt: at(50))
        #expect(pending.nextCheck == at(5))
        #expect(pending.expire(now: at(5)) == ["hasty"])
    }

    @Test func `silence on the oldest command means that the connection is dead`() {
        var pending = PendingCommands<String>()
        pending.sent("a", deadline: at(10), stallsAt: at(50))
        pending.sent("b", deadline: at(10), stallsAt: at(60))
        #expect(pending.expire(now: at(10)) == ["a", "b"])
        #expect(pending.nextCheck == at(50))
        #expect(!pending.isStalled(now: at(49)))
        #expect(pending.isStalled(now: at(50)))
        _ = pending.answered()
        #expect(!pending.isStalled(now: at(59)))
        #expect(pending.isStalled(now: at(60)))
    }

    @Test func `a lost connection hands out every waiter that has not given up`() {
        var pending = PendingCommands<Int>()
        for number in 0..<5 { pending.sent(number, deadline: at(number), stallsAt: at(50)) }
        _ = pending.answered()
        #expect(pending.expire(now: at(2)) == [1, 2])
        #expect(pending.drain() == [3, 4])
        #expect(pending.count == 0)
    }

    @Test func `order survives the removal of answered entries in bulk`() {
        var pending = PendingCommands<Int>()
        var next = 0
        for number in 0..<10_000 {
            pending.sent(number, deadline: at(10), stallsAt: at(50))
            if number % 3 != 0 {
                #expect(pending.answered() == next)
                next += 1
            }
        }
        #expect(pending.drain() == Array(next..<10_000))
    }
}
