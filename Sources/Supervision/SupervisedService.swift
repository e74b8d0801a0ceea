import Glibc
public import Reactor

/// A program that is kept running: started, asked until it is ready, started again when it ends, stopped when told.
@ReactorActor
public final class SupervisedService {
    /// What is run and how it is treated.
    public struct Description: Sendable {
        /// What people call it, as in `gateway-1`.
        public var name: String
        /// What is run.
        var command: Command
        /// How it is known to be ready.
        public var probe: Probe
        /// Signals from polite to certain.
        var stopSteps = StopStep.polite
        /// A start that takes longer than this is ended and tried anew.
        var startLimit = Duration.seconds(60)
        /// Runs before each start; for what a killed predecessor may have left behind.
        public var beforeStart: @Sendable () -> Void = {}

        /// A service that is stopped politely.
        public init(name: String, command: Command, probe: Probe) {
            self.name = name
            self.command = command
            self.probe = probe
        }
    }

    /// What happens to the program, for who watches.
    public enum Event: Equatable, Sendable {
        /// A process was started.
        case started(CInt)
        /// It answers.
        case ready
        case ended(WaitStatus)
        /// It will be started again after the delay.
        case restarting(after: Duration)
        case failedToStart(SupervisionError)
        case line(String)
    }

    /// What is run.
    let description: Description
    /// The process that runs now, if any.
    public private(set) var child: ChildProcess?

    private var lifecycle: Lifecycle
    private let onEvent: (Event) -> Void
    private let firstReady = Promise<Void, SupervisionError>()
    private let stopped = Promise<Void, Never>()
    private var generator = SystemRandomNumberGenerator()
    private var lastLine = ""
    private lazy var timer = Timer { [unowned self] in timerFired() }
    private var timerMeans = TimerMeaning.restartDue

    private enum TimerMeaning { case restartDue, startOverran, graceEnded }

    /// Makes a service that does not run yet.
    public init(_ description: Description, onEvent: @escaping @ReactorActor (Event) -> Void = { _ in }) {
        self.description = description
        self.onEvent = onEvent
        lifecycle = Lifecycle(stopSteps: description.stopSteps)
    }

    /// Whether the program answers, as far as is known: it did, and has not ended since.
    public var isReady: Bool { lifecycle.isReady }

    /// Starts the program, and returns when it is ready. To be called once.
    ///
    /// - Throws: ``SupervisionError`` when it ended several times before it was ever ready; nothing runs then.
    ///   ``SupervisionError/stopped`` when ``stop()`` was called meanwhile.
    public func start() async throws(SupervisionError) {
        begin()
        try await waitUntilReady()
    }

    /// The first half of ``start()``.
    package func begin() { perform(lifecycle.started(now: Reactor.now)) }

    /// The second half of ``start()``.
    package func waitUntilReady() async throws(SupervisionError) { try await firstReady.value }

    /// Stops the program with patience, and returns when it has ended. It is not started again.
    public func stop() async {
        requestStop()
        await waitUntilStopped()
    }

    /// Ends the program at once, and returns when it has ended. It is not started again.
    public func kill() async {
        requestKill()
        await waitUntilStopped()
    }

    /// Begins to stop the program.
    package func requestStop() { perform(lifecycle.stopRequested()) }

    /// Ends the program by its last stop step, without more patience.
    package func requestKill() { perform(lifecycle.killRequested()) }

    /// Waits for the end after ``requestStop()``. Any number may wait, one after the other.
    package func waitUntilStopped() async { _ = await stopped.result }

    private func perform(_ action: Lifecycle.Action) {
        switch action {
        case .none:
            break
        case .launch:
            launch()
        case .announceReady:
            timer.cancel()
            onEvent(.ready)
            firstReady.succeed(())
        case .restart(let delay):
            onEvent(.restarting(after: delay))
            schedule(.restartDue, after: delay)
        case .signal(let signal, let grace):
            timer.cancel()
            if signal == SIGKILL { child?.kill() } else { child?.send(signal) }
            if let grace { schedule(.graceEnded, after: grace) }
        case .giveUp:
            timer.cancel()
            firstReady.fail(lastFailure)
            stopped.succeed(())
        case .announceStopped:
            timer.cancel()
            firstReady.fail(.stopped)
            stopped.succeed(())
        }
    }

    private var lastFailure = SupervisionError.stopped

    private func launch() {
        description.beforeStart()
        do {
            let child = try ChildProcess(
                description.command,
                onLine: { [self] line in
                    lastLine = line
                    onEvent(.line(line))
                },
                onEnd: { [self] status in childEnded(status) }
            )
            self.child = child
            onEvent(.started(child.pid))
            schedule(.startOverran, after: description.startLimit)
            askUntilReady(child)
        } catch {
            lastFailure = error
            onEvent(.failedToStart(error))
            perform(lifecycle.programEnded(now: Reactor.now, using: &generator))
        }
    }

    private func askUntilReady(_ child: ChildProcess) {
        Reactor.spawn { [self] in
            // Another process, started after this one ended, has questions of its own.
            if await description.probe.becomesReady(orUntil: { child.status != nil || lifecycle.isStopping }),
                child.status == nil
            {
                perform(lifecycle.becameReady(now: Reactor.now))
            }
        }
    }

    private func childEnded(_ status: WaitStatus) {
        child = nil
        timer.cancel()
        lastFailure = .ended(name: description.name, status, lastLine: lastLine)
        onEvent(.ended(status))
        perform(lifecycle.programEnded(now: Reactor.now, using: &generator))
    }

    private func schedule(_ meaning: TimerMeaning, after delay: Duration) {
        timerMeans = meaning
        timer.schedule(after: delay)
    }

    private func timerFired() {
        switch timerMeans {
        case .restartDue: perform(lifecycle.restartDue(now: Reactor.now))
        case .startOverran: perform(lifecycle.startOverran())
        case .graceEnded: perform(lifecycle.graceEnded())
        }
    }
}
