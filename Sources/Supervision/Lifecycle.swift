import Glibc
internal import Reactor

/// The life of one supervised program: started, ready, restarted when it ends, stopped when asked.
///
///     idle ──start──▶ starting ──ready──▶ running
///                       ▲  │ ended          │ ended
///                  due  │  ▼                ▼
///                     waiting ◀─────────────┘        any ──stop──▶ stopping ──ended──▶ stopped
///
/// Pure: events in the past tense go in, the next thing to do comes out, `now` is an argument.
struct Lifecycle {
    /// What the driver must do next.
    enum Action: Equatable {
        /// Nothing; wait for the next event.
        case none
        /// Start the program, then ask it until it is ready.
        case launch
        /// Tell whoever waits that it is ready.
        case announceReady
        /// Call ``restartDue()`` after the delay.
        case restart(after: Duration)
        /// Send the signal, and call ``graceEnded()`` if the program is still there after the delay; `nil`: no further
        /// step.
        case signal(CInt, grace: Duration?)
        /// It has failed for good, before it was ever ready.
        case giveUp
        /// It has ended, and stays so.
        case announceStopped
    }

    private enum State: Equatable {
        case idle
        case starting(since: Instant)
        case running(since: Instant)
        case waiting
        /// Signals already sent: the index of the next step.
        case stopping(nextStep: Int)
        case stopped
    }

    private var state = State.idle
    private var policy: RestartPolicy
    private var hasBeenReady = false
    private var failedStarts = 0
    private let startsBeforeGivingUp: Int
    private let stopSteps: [StopStep]

    /// - Parameters:
    ///   - stopSteps: Signals from polite to certain.
    ///   - startsBeforeGivingUp: How often it may end before it was ready once. After that it is restarted for ever:
    ///     what worked once is expected to work again when its surroundings are back.
    init(stopSteps: [StopStep], policy: RestartPolicy = RestartPolicy(), startsBeforeGivingUp: Int = 5) {
        precondition(!stopSteps.isEmpty, "a program needs a way to be stopped")
        self.stopSteps = stopSteps
        self.policy = policy
        self.startsBeforeGivingUp = startsBeforeGivingUp
    }

    /// Whether it serves now.
    var isReady: Bool { if case .running = state { true } else { false } }
    /// Whether it was told to end, or has ended for good.
    var isStopping: Bool {
        switch state {
        case .stopping, .stopped: true
        case .idle, .starting, .running, .waiting: false
        }
    }

    mutating func started(now: Instant) -> Action {
        guard state == .idle else { return .none }
        state = .starting(since: now)
        return .launch
    }

    /// The program answered as a ready one does.
    mutating func becameReady(now: Instant) -> Action {
        guard case .starting = state else { return .none }
        state = .running(since: now)
        hasBeenReady = true
        return .announceReady
    }

    /// The program runs, and yet was not ready in time; whatever it hangs on, a fresh one may not.
    mutating func startOverran() -> Action {
        guard case .starting = state else { return .none }
        return .signal(SIGKILL, grace: nil)
    }

    /// The program ended, or could not be started at all.
    mutating func programEnded(
        now: Instant,
        using generator: inout some RandomNumberGenerator
    ) -> Action {
        switch state {
        case .starting(let since):
            if !hasBeenReady {
                failedStarts += 1
                if failedStarts >= startsBeforeGivingUp {
                    state = .stopped
                    return .giveUp
                }
            }
            return wait(ranFor: since.duration(to: now), using: &generator)
        case .running(let since):
            return wait(ranFor: since.duration(to: now), using: &generator)
        case .stopping:
            state = .stopped
            return .announceStopped
        case .idle, .waiting, .stopped:
            return .none
        }
    }

    mutating func restartDue(now: Instant) -> Action {
        guard state == .waiting else { return .none }
        state = .starting(since: now)
        return .launch
    }

    mutating func stopRequested() -> Action {
        switch state {
        case .idle, .waiting:
            state = .stopped
            return .announceStopped
        case .starting, .running:
            state = .stopping(nextStep: 0)
            return graceEnded()
        case .stopping, .stopped:
            return .none
        }
    }

    /// The program did not end within the grace of the last signal.
    mutating func graceEnded() -> Action {
        guard case .stopping(let step) = state, step < stopSteps.count else { return .none }
        state = .stopping(nextStep: step + 1)
        return .signal(stopSteps[step].signal, grace: step + 1 < stopSteps.count ? stopSteps[step].grace : nil)
    }

    /// Patience has ended: straight to the last step.
    mutating func killRequested() -> Action {
        switch state {
        case .starting, .running, .stopping:
            state = .stopping(nextStep: stopSteps.count - 1)
            return graceEnded()
        case .idle, .waiting:
            return stopRequested()
        case .stopped:
            return .none
        }
    }

    private mutating func wait(
        ranFor duration: Duration,
        using generator: inout some RandomNumberGenerator
    ) -> Action {
        state = .waiting
        return .restart(after: policy.programEnded(ranFor: duration, using: &generator))
    }
}

/// One signal of a stop, and how long the program has to act on it before the next.
struct StopStep: Sendable, Equatable {
    /// The signal's number.
    let signal: CInt
    /// How long to wait for the end after it; of no meaning in the last step.
    let grace: Duration

    /// Creates a step.
    init(_ signal: CInt, grace: Duration = .zero) {
        self.signal = signal
        self.grace = grace
    }

    /// A service of ours, or Redis: it finishes what it has accepted, and is killed if that takes too long.
    static let polite = [StopStep(SIGTERM, grace: .seconds(15)), StopStep(SIGKILL)]

    /// PostgreSQL: *fast* shutdown (sessions are closed, a checkpoint is written), then *immediate* (recovery at the
    /// next start), then none of its business. SeeAlso: "Shutting Down the Server" in its manual.
    static let postgres = [
        StopStep(SIGINT, grace: .seconds(20)), StopStep(SIGQUIT, grace: .seconds(6)), StopStep(SIGKILL),
    ]
}
