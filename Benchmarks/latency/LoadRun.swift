import HTTPClient
import HTTPWire
import Reactor

/// One target with its connections, its questions, and what came of them.
@ReactorActor
final class Lane {
    let target: Target
    private(set) var tally = Tally()

    private let client: HTTPClient
    private let plan: LoadPlan
    private var questions: Questions
    private var outstanding = 0
    private var schedule = ArrivalSchedule(start: .now, rate: 1, duration: .zero)
    private var metronome: Metronome?
    private var done: Promise<Void, Never>?

    init(_ target: Target, _ questions: Questions, _ plan: LoadPlan) {
        self.target = target
        self.questions = questions
        self.plan = plan
        var configuration = HTTPClientConfiguration()
        configuration.connections = plan.outstandingMax
        configuration.idleConnections = plan.outstandingMax
        configuration.waitingRequests = plan.outstandingMax
        configuration.connectTimeout = plan.timeout
        configuration.responseHeadTimeout = plan.timeout
        // We are here to see failures, not to avoid them.
        configuration.circuitBreaker.failures = .max
        configuration.circuitBreaker.firstOpening = .milliseconds(1)
        configuration.circuitBreaker.longestOpening = .milliseconds(1)
        client = HTTPClient(upstream: target.endpoint, configuration: configuration)
    }

    /// Sends requests for a time, and returns when each has its answer or has failed.
    func run(for duration: Duration) async {
        let done = Promise<Void, Never>()
        self.done = done
        schedule = ArrivalSchedule(start: .now + plan.tick, rate: plan.rate, duration: duration)
        metronome = Metronome(every: plan.tick) { [unowned self] in sendDue() }
        _ = await done.result
        tally.measured += duration
    }

    /// Forgets what was measured so far.
    func startCounting() { tally = Tally() }

    func close() { client.close() }

    private func sendDue() {
        let now = Instant.now
        while let due = schedule.takeDue(now: now) {
            tally.scheduled(sentLateBy: now - due)
            guard outstanding < plan.outstandingMax else {
                tally.failed("not sent: \(plan.outstandingMax) under way")
                continue
            }
            outstanding += 1
            client.send(questions.next(), deadline: Reactor.now + plan.timeout) { [unowned self] outcome in
                outstanding -= 1
                let latency = Instant.now - due
                switch outcome {
                case .success(let response): tally.answered(response.status.code, after: latency)
                case .failure(let error): tally.failed(error.description)
                }
                finishIfDone()
            }
        }
        if schedule.isExhausted { metronome = nil }
        finishIfDone()
    }

    private func finishIfDone() {
        guard schedule.isExhausted, outstanding == 0 else { return }
        done?.succeed(())
        done = nil
    }
}

/// A whole measurement: every lane warmed up, then measured in turns.
@ReactorActor
struct LoadRun {
    private let lanes: [Lane]
    private let plan: LoadPlan

    init(_ lanes: [Lane], _ plan: LoadPlan) {
        self.lanes = lanes
        self.plan = plan
    }

    func run() async {
        if plan.warmUp > .zero { for lane in lanes { await lane.run(for: plan.warmUp) } }
        for lane in lanes { lane.startCounting() }
        for slice in plan.slices { for lane in lanes { await lane.run(for: slice) } }
        for lane in lanes { lane.close() }
    }
}
