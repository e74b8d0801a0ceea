internal import Basics
internal import CLibev
internal import DequeModule
internal import Glibc
internal import Metrics

/// The libev loop of the process and the shape of its turn.
///
/// One turn is: libev waits and tells which watchers are ready; then, in ``endOfTurn()``, they are called back, and the
/// Swift jobs and the scheduled ``EndOfTurn`` jobs (output flushes) run until none is left; then libev waits again.
@ReactorActor
enum Loop {
    /// How often jobs and flushes may enqueue one another before sockets get their turn again.
    private static let roundsPerTurn = 64
    /// How many I/O events are taken before what they gave others to do is sent.
    private static let eventsPerFlush = 8

    /// libev's loop; never destroyed.
    ///
    /// Not libev's *default* loop: that one collects every child of the process as soon as it ends, also those that
    /// are somebody else's to collect. ``ChildWatcher`` collects its own.
    nonisolated(unsafe) static let pointer: OpaquePointer = {
        // Writing to a connection that its peer has closed is an error value here, never a signal.
        signal(SIGPIPE, SIG_IGN)
        guard let loop = unsafe ev_loop_new(UInt32(EVBACKEND_EPOLL) | UInt32(EVFLAG_NOENV)) else {
            preconditionFailure("libev could not make an epoll loop")
        }
        return unsafe loop
    }()

    // libev keeps the addresses of active watchers, so each has its own allocation, for the life of the process.
    nonisolated(unsafe) private static let wakeUpWatcher: UnsafeMutablePointer<ev_async> = {
        let watcher = UnsafeMutablePointer<ev_async>.allocate(capacity: 1)
        unsafe watcher.initialize(to: ev_async())
        unsafe clibev_async_init(watcher, wokenUp)
        unsafe ev_async_start(pointer, watcher)
        return unsafe watcher
    }()
    private static let prepareWatcher = UnsafeMutablePointer<ev_prepare>.allocate(capacity: 1)
    private static let checkWatcher = UnsafeMutablePointer<ev_check>.allocate(capacity: 1)
    private static let idleWatcher = UnsafeMutablePointer<ev_idle>.allocate(capacity: 1)

    // Whatever has no initial value need not be asked, each time that it is read, whether it has been given that.
    private static var cachedNow: Instant?
    /// Read when it is asked for first in a turn, which in many turns it is not.
    private static var cachedUnixNanoseconds: Int?
    /// How long the turns took, waiting not included.
    static let turns = Histogram(
        .histogram(
            "tickloop_loop_turn_duration_seconds",
            "Time that the event loop was busy between two waits: its lag, as what becomes ready meanwhile has to wait."
        ).announced(),
        bounds: Histogram.turn
    )
    /// What libev has told in this turn.
    nonisolated(unsafe) static var ready = ReadyEvents()
    private static var flushes: Deque<EndOfTurn> = []
    private static var scheduled: Deque<EndOfTurn> = []

    /// Interrupts the wait of the loop; safe from any thread.
    nonisolated static func wakeUp() { unsafe ev_async_send(pointer, wakeUpWatcher) }

    /// Makes the calling thread the loop's and installs the turn.
    nonisolated static func adopt() {
        LoopExecutor.shared.adoptCurrentThread()
        ReactorActor.assumeIsolated { install() }
    }

    private static func install() {
        beginTurn()
        _ = unsafe wakeUpWatcher
        unsafe prepareWatcher.initialize(to: ev_prepare())
        unsafe clibev_prepare_init(prepareWatcher, turnEnds)
        // Lowest priority: whatever another prepare watcher does still belongs to this turn.
        unsafe clibev_set_lowest_priority(prepareWatcher)
        unsafe ev_prepare_start(pointer, prepareWatcher)

        unsafe checkWatcher.initialize(to: ev_check())
        unsafe clibev_check_init(checkWatcher, turnBegins)
        unsafe clibev_set_highest_priority(checkWatcher)
        unsafe ev_check_start(pointer, checkWatcher)

        unsafe idleWatcher.initialize(to: ev_idle())
        unsafe clibev_idle_init(idleWatcher, neverWait)
    }

    /// Runs turns on the calling thread until ``stop()``.
    nonisolated static func run() { unsafe ev_run(pointer, 0) }

    static func stop() { unsafe ev_break(pointer, CInt(EVBREAK_ALL)) }

    // MARK: Time

    static var now: Instant { cachedNow ?? .origin }

    static var unixNanoseconds: Int {
        if let cachedUnixNanoseconds { return cachedUnixNanoseconds }
        let now = SystemClock.unixNanoseconds
        cachedUnixNanoseconds = now
        return now
    }

    // MARK: The turn

    static func beginTurn() {
        cachedNow = Instant.now
        cachedUnixNanoseconds = nil
    }

    static func schedule(_ job: EndOfTurn) {
        if job.isEarly { flushes.append(job) } else { scheduled.append(job) }
    }

    private static func takeEvents() {
        var count = 0
        while let (watcher, readiness) = unsafe ready.next() {
            watcher.take(readiness)
            count += 1
            if count % eventsPerFlush == 0 { flush() }
        }
    }

    /// Sends what has gathered; what that gives others to do waits for the next time.
    private static func flush() {
        for _ in 0..<flushes.count { flushes.removeFirst().run() }
    }

    private static var hasWork: Bool { LoopExecutor.shared.hasJobs || !flushes.isEmpty || !scheduled.isEmpty }

    /// Takes the events of this turn and runs what they caused: Swift jobs first, then the scheduled flushes, again
    /// while either makes more.
    static func endOfTurn() {
        takeEvents()
        var rounds = 0
        while hasWork, rounds < roundsPerTurn {
            rounds += 1
            LoopExecutor.shared.runJobs()
            // A job that made more jobs may also make more output: flush only what is complete.
            if LoopExecutor.shared.hasJobs, rounds < roundsPerTurn { continue }
            for _ in 0..<scheduled.count { scheduled.removeFirst().run() }
            flush()
        }
        // Work that makes work for ever must not starve the sockets: poll them without waiting and come back.
        if hasWork {
            unsafe ev_idle_start(pointer, idleWatcher)
        } else {
            unsafe ev_idle_stop(pointer, idleWatcher)
        }
        turns.observe(now.duration(to: .now))
    }
}

nonisolated private func wokenUp(_: OpaquePointer?, _: UnsafeMutablePointer<ev_async>?, _: CInt) {
    ReactorActor.assumeIsolated { LoopExecutor.shared.takeForeignWork() }
}

nonisolated private func turnEnds(_: OpaquePointer?, _: UnsafeMutablePointer<ev_prepare>?, _: CInt) {
    ReactorActor.assumeIsolated { Loop.endOfTurn() }
}

nonisolated private func turnBegins(_: OpaquePointer?, _: UnsafeMutablePointer<ev_check>?, _: CInt) {
    ReactorActor.assumeIsolated { Loop.beginTurn() }
}

/// Being active is its whole effect: libev does not wait while an idle watcher is active.
nonisolated private func neverWait(_: OpaquePointer?, _: UnsafeMutablePointer<ev_idle>?, _: CInt) {}
