import Reactor
import TestSupport
import Testing

@testable import HTTPClient

@Suite struct CircuitBreakerTests {
    /// What happens to the breaker, at a time in milliseconds.
    enum Event {
        case arrive, succeed, fail, failProbe, abandonProbe, loseUpstream
    }

    private static var configuration: CircuitBreakerConfiguration {
        var configuration = CircuitBreakerConfiguration()
        configuration.failures = 3
        configuration.firstOpening = .milliseconds(100)
        configuration.longestOpening = .milliseconds(300)
        return configuration
    }

    /// Runs events and answers what the arrivals were told.
    private func run(_ events: [(Int, Event)]) -> [CircuitBreaker.Admission] {
        var generator = LargestNumbers()
        var breaker = CircuitBreaker(Self.configuration)
        var admissions: [CircuitBreaker.Admission] = []
        for (milliseconds, event) in events {
            let now = Instant.origin + .milliseconds(milliseconds)
            switch event {
            case .arrive: admissions.append(breaker.requestArrived(now: now))
            case .succeed: breaker.requestSucceeded()
            case .fail: breaker.requestFailed(wasProbe: false, now: now, using: &generator)
            case .failProbe: breaker.requestFailed(wasProbe: true, now: now, using: &generator)
            case .abandonProbe: breaker.probeAbandoned(now: now)
            case .loseUpstream: breaker.upstreamBecameUnreachable(now: now, using: &generator)
            }
        }
        return admissions
    }

    @Test func `it opens after failures in a row`() {
        #expect(run([(0, .fail), (0, .fail), (0, .arrive), (0, .fail), (0, .arrive)]) == [.admit, .refuse(100)])
    }

    @Test func `a success between failures starts the count again`() {
        #expect(run([(0, .fail), (0, .fail), (0, .succeed), (0, .fail), (0, .fail), (0, .arrive)]) == [.admit])
    }

    @Test func `an upstream that nobody could connect to opens it at once`() {
        #expect(run([(0, .loseUpstream), (40, .arrive)]) == [.refuse(60)])
    }

    @Test func `half-open, one probe goes out and the others are refused until it ends`() {
        let events: [(Int, Event)] = [
            (0, .loseUpstream), (99, .arrive), (100, .arrive), (100, .arrive), (150, .arrive), (160, .succeed),
            (160, .arrive),
        ]
        #expect(run(events) == [.refuse(1), .probe, .refuse(100), .refuse(100), .admit])
    }

    @Test func `each failed probe doubles the time, up to the longest, and a success resets it`() {
        let events: [(Int, Event)] = [
            (0, .loseUpstream), (100, .arrive), (100, .failProbe), (100, .arrive),
            (300, .arrive), (300, .failProbe), (300, .arrive),
            (600, .arrive), (600, .failProbe), (600, .arrive),
            (900, .arrive), (900, .succeed), (900, .loseUpstream), (900, .arrive),
        ]
        let expected: [CircuitBreaker.Admission] = [
            .probe, .refuse(200), .probe, .refuse(300), .probe, .refuse(300), .probe, .refuse(100),
        ]
        #expect(run(events) == expected)
    }

    @Test func `while it is half-open, only the probe's failure opens it`() {
        #expect(run([(0, .loseUpstream), (100, .arrive), (100, .fail), (100, .failProbe), (100, .arrive)]).count == 2)
        let late: [(Int, Event)] = [(0, .loseUpstream), (100, .arrive), (110, .fail), (120, .succeed), (120, .arrive)]
        #expect(run(late) == [.probe, .admit])
    }

    @Test func `a late failure does not keep an open circuit open for longer`() {
        #expect(run([(0, .loseUpstream), (50, .fail), (60, .loseUpstream), (100, .arrive)]) == [.probe])
    }

    @Test func `the next request is the probe when the probe's sender goes away`() {
        #expect(run([(0, .loseUpstream), (100, .arrive), (110, .abandonProbe), (110, .arrive)]) == [.probe, .probe])
    }

    @Test func `a success from before it opened closes it`() {
        #expect(run([(0, .loseUpstream), (10, .succeed), (10, .arrive)]) == [.admit])
    }

    @Test func `jitter takes away at most a half`() {
        let now = Instant.origin
        var generator = SplitMix64(seed: 1)
        var waits: Set<Duration> = []
        for _ in 1...200 {
            var breaker = CircuitBreaker(Self.configuration)
            breaker.upstreamBecameUnreachable(now: now, using: &generator)
            #expect(breaker.circuit(now: now + .milliseconds(49)) == .open)
            #expect(breaker.circuit(now: now + .milliseconds(100)) == .halfOpen)
            if case .refuse(let wait) = breaker.requestArrived(now: now) { waits.insert(wait) }
        }
        #expect(waits.count > 100)
    }
}

extension CircuitBreaker.Admission {
    fileprivate static func refuse(_ milliseconds: Int) -> Self { .refuse(retryAfter: .milliseconds(milliseconds)) }
}

/// Draws the end of every range, so that jitter takes nothing away.
struct LargestNumbers: RandomNumberGenerator {
    mutating func next() -> UInt64 { .max }
}
