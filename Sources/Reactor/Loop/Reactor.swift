internal import Glibc
public import Metrics

/// The event loop of the process: libev with epoll, one thread, Swift concurrency on top.
///
/// ```swift
/// static func main() {
///     exit(Reactor.run {
///         try? await Reactor.sleep(for: .seconds(1))
///         return 0
///     })
/// }
/// ```
@ReactorActor
public enum Reactor {
    /// Runs the loop on the calling thread until `main` returns.
    ///
    /// The only call that a program's `main()` makes. `Task {}` there would go to a queue that nobody drains.
    ///
    /// - Returns: What `main` returned: the exit status.
    nonisolated public static func run(_ main: @escaping @ReactorActor () async -> CInt) -> CInt {
        Loop.adopt()
        let status = ReactorActor.assumeIsolated { ExitStatus() }
        ReactorActor.assumeIsolated {
            _ = spawn {
                status.value = await main()
                Loop.stop()
            }
        }
        Loop.run()
        return ReactorActor.assumeIsolated { status.value }
    }

    /// Runs the loop on a thread of its own, for the life of the process. For tests; the second call does nothing.
    nonisolated public static func runInBackground() { _ = background }

    nonisolated private static let background: Void = {
        var thread = pthread_t()
        let failure = unsafe pthread_create(
            &thread,
            nil,
            { _ in
                Loop.adopt()
                Loop.run()
                return nil
            },
            nil
        )
        precondition(failure == 0, "pthread_create failed: \(failure)")
    }()

    /// The monotonic time, read once a turn.
    public static var now: Instant { Loop.now }

    /// The wall clock as time since 1970-01-01T00:00:00Z, read once a turn.
    public static var unixTime: Duration { .nanoseconds(Loop.unixNanoseconds) }

    /// The whole seconds of ``unixTime``.
    public static var unixSeconds: Int { Loop.unixNanoseconds / 1_000_000_000 }

    /// How long the loop's turns took, from the end of one wait to the beginning of the next. Whatever becomes ready
    /// in a turn waits for its end, so a long turn is a delay for everybody; all together, they are the time that the
    /// process was busy.
    public static var turns: Histogram { Loop.turns }

    /// Starts `body` at the end of this turn, before output is flushed.
    ///
    /// Its child tasks (`async let`, task groups) run on the loop too.
    @discardableResult
    public static func spawn(_ body: @escaping @ReactorActor () async -> Void) -> Task<Void, Never> {
        // The preference is what keeps the process at one thread: without it, each resumption of a continuation goes
        // through a thread of Swift's pool before it comes back to the actor. It also makes `immediate` start with the
        // next jobs, but a plain `Task(executorPreference:)` does not pass the compiler's isolation checker.
        Task.immediate(executorPreference: LoopExecutor.shared) { @ReactorActor in await body() }
    }

    /// The loop as an executor for child tasks.
    nonisolated public static var executor: any TaskExecutor { LoopExecutor.shared }

    /// Runs `body` on the loop; callable from any thread, which gives it away: references are counted without a lock.
    nonisolated public static func post(_ body: consuming @escaping @Sendable @ReactorActor () -> Void) {
        LoopExecutor.shared.post(.call(body))
    }

    /// Suspends for at least `duration`.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public static func sleep(for duration: Duration) async throws(CancellationError) {
        try await sleep(until: now + duration)
    }

    /// Suspends until `deadline` or later.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public static func sleep(until deadline: Instant) async throws(CancellationError) {
        let elapsed = Promise<Void, CancellationError>()
        let timer = Timer { elapsed.succeed(()) }
        timer.schedule(at: deadline)
        defer { timer.cancel() }
        let result = await withTaskCancellationHandler {
            await elapsed.result
        } onCancel: {
            post { elapsed.fail(CancellationError()) }
        }
        try result.get()
    }

    /// Lets the sockets have one turn before going on.
    public static func yield() async {
        let promise = Promise<Void, Never>()
        post { promise.succeed(()) }
        _ = await promise.result
    }
}

/// Where ``Reactor/run(_:)`` finds what its main function returned.
@ReactorActor
private final class ExitStatus {
    var value: CInt = 0
}
