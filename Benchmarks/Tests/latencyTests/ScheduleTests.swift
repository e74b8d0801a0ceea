import Reactor
import Testing

@testable import latency

@Suite struct ScheduleTests {
    private let start = Instant.now

    @Test func `requests are due at even distances, from the start to before the end`() {
        var schedule = ArrivalSchedule(start: start, rate: 4, duration: .seconds(1))
        #expect(schedule.takeDue(now: start - .nanoseconds(1)) == nil)
        for quarter in 0..<4 {
            let due = start + .milliseconds(250) * quarter
            #expect(schedule.takeDue(now: due - .nanoseconds(1)) == nil)
            #expect(schedule.takeDue(now: due) == due)
        }
        #expect(schedule.isExhausted)
        #expect(schedule.takeDue(now: start + .seconds(9)) == nil)
    }

    @Test func `after a stall each missed request keeps the time it was meant for`() {
        var schedule = ArrivalSchedule(start: start, rate: 1000, duration: .seconds(1))
        let late = start + .milliseconds(3)
        let due = (0..<4).map { _ in schedule.takeDue(now: late) }
        #expect(due == (0..<4).map { start + .milliseconds($0) })
        #expect(schedule.takeDue(now: late) == nil)
    }

    @Test func `turns are equally long and make up the whole time`() {
        let plan = LoadPlan(
            rate: 100,
            duration: .seconds(5),
            warmUp: .zero,
            slice: .seconds(2),
            timeout: .seconds(1),
            outstandingMax: 1
        )
        #expect(plan.slices.count == 3)
        #expect(plan.slices.allSatisfy { $0 <= .seconds(2) })
        #expect(plan.tick == .milliseconds(10))
    }
}
