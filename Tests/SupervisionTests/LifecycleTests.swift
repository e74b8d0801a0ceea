import Glibc
import Reactor
import Testing

@testable import Supervision

/// Draws the largest number each time, so that every jittered wait is its bound.
struct Largest: RandomNumberGenerator {
    mutating func next() -> UInt64 { .max }
}

@Suite struct LifecycleTests {
    private var largest = Largest()
    private let start = Instant.now
    private let steps = [StopStep(SIGTERM, grace: .seconds(15)), StopStep(SIGKILL)]

    private func isClose(_ action: Lifecycle.Action, toRestartAfter expected: Duration) -> Bool {
        guard case .restart(let delay) = action else { return false }
        return delay <= expected && delay > expected * 0.99
    }

    @Test mutating func `the wait before a restart doubles with each failure, up to the cap`() {
        var policy = RestartPolicy(first: .milliseconds(100), cap: .seconds(5), stableAfter: .seconds(10))
        for expected in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let delay = policy.programEnded(ranFor: .seconds(1), using: &largest)
            #expect(delay <= .milliseconds(expected))
            #expect(delay > .milliseconds(expected) * 0.99)
        }
    }

    @Test mutating func `a run that lasted starts the wait anew`() {
        var policy = RestartPolicy(first: .milliseconds(100), cap: .seconds(5), stableAfter: .seconds(10))
        for _ in 0..<5 { _ = policy.programEnded(ranFor: .seconds(9.999), using: &largest) }
        #expect(policy.programEnded(ranFor: .seconds(10), using: &largest) <= .milliseconds(100))
    }

    @Test mutating func `a program that was ready once is restarted for ever`() {
        var life = Lifecycle(stopSteps: steps)
        #expect(life.started(now: start) == .launch)
        #expect(!life.isReady)
        #expect(life.becameReady(now: start) == .announceReady)
        #expect(life.isReady)
        for _ in 0..<100 {
            let action = life.programEnded(now: start, using: &largest)
            guard case .restart = action else {
                Issue.record("\(action)")
                return
            }
            #expect(!life.isReady)
            #expect(life.restartDue(now: start) == .launch)
        }
    }

    @Test mutating func `a program that was never ready is given up after five ends`() {
        var life = Lifecycle(stopSteps: steps)
        #expect(life.started(now: start) == .launch)
        for bound in [100, 200, 400, 800] {
            #expect(isClose(life.programEnded(now: start, using: &largest), toRestartAfter: .milliseconds(bound)))
            #expect(life.restartDue(now: start) == .launch)
        }
        #expect(life.programEnded(now: start, using: &largest) == .giveUp)
        #expect(life.restartDue(now: start) == .none)
        #expect(life.stopRequested() == .none)
    }

    @Test mutating func `a start that takes too long is killed and tried again`() {
        var life = Lifecycle(stopSteps: steps)
        _ = life.started(now: start)
        #expect(life.startOverran() == .signal(SIGKILL, grace: nil))
        guard case .restart = life.programEnded(now: start, using: &largest) else {
            Issue.record("no restart")
            return
        }
        _ = life.restartDue(now: start)
        #expect(life.becameReady(now: start) == .announceReady)
        #expect(life.startOverran() == .none)
    }

    @Test mutating func `a stop goes from polite to certain, and is not followed by a restart`() {
        var life = Lifecycle(stopSteps: steps)
        _ = life.started(now: start)
        _ = life.becameReady(now: start)
        #expect(life.stopRequested() == .signal(SIGTERM, grace: .seconds(15)))
        #expect(life.stopRequested() == .none)
        #expect(life.graceEnded() == .signal(SIGKILL, grace: nil))
        #expect(life.graceEnded() == .none)
        #expect(life.becameReady(now: start) == .none)
        #expect(life.programEnded(now: start, using: &largest) == .announceStopped)
        #expect(life.programEnded(now: start, using: &largest) == .none)
        #expect(life.started(now: start) == .none)
    }

    @Test func `a kill skips the steps that are left`() {
        var life = Lifecycle(stopSteps: StopStep.postgres)
        _ = life.started(now: start)
        #expect(life.stopRequested() == .signal(SIGINT, grace: .seconds(20)))
        #expect(life.killRequested() == .signal(SIGKILL, grace: nil))
    }

    @Test mutating func `a stop between two runs needs no signal`() {
        var life = Lifecycle(stopSteps: steps)
        _ = life.started(now: start)
        _ = life.programEnded(now: start, using: &largest)
        #expect(life.stopRequested() == .announceStopped)
        #expect(life.restartDue(now: start) == .none)

        var idle = Lifecycle(stopSteps: steps)
        #expect(idle.killRequested() == .announceStopped)
    }
}
