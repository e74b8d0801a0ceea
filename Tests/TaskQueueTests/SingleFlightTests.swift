import Testing

@testable import TaskQueue

@Suite struct SingleFlightTests {
    private typealias Tasks = SingleFlight<String, Int>

    @Test func `who asks before a task is sent joins it, who asks after that joins the next`() {
        var tasks = Tasks()
        #expect(tasks.submit("k", orBegin: 1) == .send(1))
        #expect(tasks.submit("k", orBegin: 2) == .join(1))
        tasks.sent("k", 1)
        #expect(tasks.submit("k", orBegin: 3) == .wait(3))
        #expect(tasks.submit("k", orBegin: 4) == .join(3))
        #expect(tasks.finished("k", 1) == 3)
        // It may be sent, and until it is it can still be joined.
        #expect(tasks.submit("k", orBegin: 5) == .join(3))
        tasks.sent("k", 3)
        #expect(tasks.finished("k", 3) == nil)
        #expect(tasks.count == 0)
    }

    @Test func `keys do not meet`() {
        var tasks = Tasks()
        #expect(tasks.submit("a", orBegin: 1) == .send(1))
        #expect(tasks.submit("b", orBegin: 2) == .send(2))
        tasks.sent("a", 1)
        #expect(tasks.finished("b", 1) == nil)
        #expect(tasks.count == 2)
    }

    @Test func `a task that counts as finished lets the next go, and its real end changes nothing`() {
        var tasks = Tasks()
        _ = tasks.submit("k", orBegin: 1)
        tasks.sent("k", 1)
        _ = tasks.submit("k", orBegin: 2)
        #expect(tasks.finished("k", 1) == 2)
        tasks.sent("k", 2)
        #expect(tasks.finished("k", 1) == nil)
        #expect(tasks.submit("k", orBegin: 3) == .wait(3), "the second is still under way")
        #expect(tasks.finished("k", 2) == 3)
    }

    @Test func `a task that everybody left is forgotten`() {
        var tasks = Tasks()
        _ = tasks.submit("k", orBegin: 1)
        tasks.left("k", 1)
        #expect(tasks.count == 0)

        _ = tasks.submit("k", orBegin: 2)
        tasks.sent("k", 2)
        _ = tasks.submit("k", orBegin: 3)
        tasks.left("k", 3)
        #expect(tasks.finished("k", 2) == nil)
        #expect(tasks.count == 0)
    }

    @Test func `an end without a next task leaves nothing behind`() {
        var tasks = Tasks()
        _ = tasks.submit("k", orBegin: 1)
        tasks.sent("k", 1)
        #expect(tasks.finished("k", 1) == nil)
        #expect(tasks.count == 0)
        #expect(tasks.finished("k", 1) == nil)
    }
}
