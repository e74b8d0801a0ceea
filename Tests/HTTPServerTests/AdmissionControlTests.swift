import Reactor
import Testing

@testable import HTTPServer

/// A service that answers in the order of arrival, so many requests each millisecond; the clock is ours.
@Suite struct AdmissionControlTests {
    private struct Service {
        var control: AdmissionControl
        var now = Instant.origin + .seconds(10)
        private var queue: [Instant] = []
        var refused = 0
        var longestWait = Duration.zero

        init(ceiling: Int = 4096, targetWait: Duration = .milliseconds(100)) {
            control = AdmissionControl(ceiling: ceiling, targetWait: targetWait)
        }

        mutating func run(_ duration: Duration, arriving: Int, answering: Int) {
            let end = now + duration
            refused = 0
            longestWait = .zero
            while now < end {
                now = now + .milliseconds(1)
                for _ in 0..<arriving {
                    if control.admit() { queue.append(now) } else { refused += 1 }
                }
                for arrival in queue.prefix(answering) {
                    longestWait = max(longestWait, now - arrival)
                    control.answered(after: now - arrival, now: now)
                }
                queue.removeFirst(min(answering, queue.count))
            }
        }
    }

    @Test func `a service that keeps up refuses nobody, however many wait`() {
        var service = Service()
        service.run(.milliseconds(60), arriving: 20, answering: 0)
        service.run(.seconds(5), arriving: 20, answering: 20)
        #expect(service.refused == 0)
        #expect(service.control.waiting == 1200)
        #expect(service.control.limit == 4096)
    }

    @Test func `under twice the load, waits come down to the target and half is refused`() {
        var service = Service()
        service.run(.seconds(1), arriving: 20, answering: 10)
        service.run(.seconds(5), arriving: 20, answering: 10)
        #expect(service.longestWait <= .milliseconds(110))
        #expect((49_000...51_000).contains(service.refused))
        #expect((900...1100).contains(service.control.limit))
    }

    @Test func `the limit follows the service when it gets faster or slower`() {
        var service = Service()
        service.run(.seconds(2), arriving: 40, answering: 10)
        service.run(.seconds(2), arriving: 40, answering: 20)
        #expect((1800...2200).contains(service.control.limit))
        service.run(.seconds(2), arriving: 40, answering: 5)
        #expect((450...550).contains(service.control.limit))
    }

    @Test func `all is admitted again soon after the load has gone`() {
        var service = Service()
        service.run(.seconds(2), arriving: 40, answering: 10)
        service.run(.milliseconds(500), arriving: 5, answering: 10)
        #expect(service.control.limit == 4096)
        service.run(.seconds(1), arriving: 9, answering: 10)
        #expect(service.refused == 0)
    }

    @Test func `few requests are never refused, however slow their answers are`() {
        var service = Service()
        service.run(.milliseconds(AdmissionControl.floor - 1), arriving: 1, answering: 0)
        service.run(.seconds(10), arriving: 1, answering: 1)
        #expect(service.refused == 0)
        #expect(service.longestWait > .milliseconds(250))
    }

    @Test func `answers that waited for nothing do not hide a queue`() {
        var service = Service()
        for _ in 0..<2000 {
            service.run(.milliseconds(1), arriving: 20, answering: 10)
            if service.control.admit() { service.control.answered(after: .zero, now: service.now) }
        }
        #expect((900...1100).contains(service.control.limit))
    }

    @Test func `a standstill alone is no reason to refuse below the ceiling`() {
        var service = Service(ceiling: 2000)
        service.run(.seconds(1), arriving: 2, answering: 0)
        #expect(service.refused == 0)
        service.run(.milliseconds(1), arriving: 1, answering: 0)
        #expect(service.refused == 1)
        for _ in 0..<2000 { service.control.abandoned() }
        #expect(service.control.waiting == 0)
    }

    @Test func `without a target only the ceiling applies`() {
        var service = Service(targetWait: .zero)
        service.run(.seconds(2), arriving: 20, answering: 10)
        #expect(service.control.limit == 4096)
        #expect(service.control.waiting > 4000)
    }
}
