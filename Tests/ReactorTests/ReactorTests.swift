import Glibc
import Reactor
import Testing

/// Puts the loop on a thread of its own before the first test that needs it.
let loop: Void = Reactor.runInBackground()

@Suite struct ReactorTests {
    init() { loop }

    @Test func `a main function that never waits ends the process with its status`() async {
        await #expect(processExitsWith: .exitCode(7)) { exit(Reactor.run { 7 }) }
    }

    @Test @ReactorActor func `an async function runs on the loop's thread, also after a suspension`() async throws {
        let before = pthread_self()
        try await Reactor.sleep(for: .milliseconds(2))
        #expect(pthread_self() == before)
        await Reactor.yield()
        #expect(pthread_self() == before)
    }

    @Test @ReactorActor func `spawn starts the body in this turn, after the caller`() async {
        var steps: [String] = []
        let finished = Promise<Void, CancellationError>()
        Reactor.spawn {
            steps.append("spawned")
            await Reactor.yield()
            steps.append("resumed")
            finished.succeed(())
        }
        steps.append("caller")
        _ = await finished.result
        #expect(steps == ["caller", "spawned", "resumed"])
    }

    @Test @ReactorActor func `child tasks run on the loop's thread when it is preferred`() async {
        let thread = UInt(pthread_self())
        let child = await withTaskExecutorPreference(Reactor.executor) {
            async let child = UInt(pthread_self())
            return await child
        }
        #expect(child == thread)
    }

    @Test @ReactorActor func `a timer is never early, and cancelled it does not fire`() async throws {
        let due = Reactor.now + .milliseconds(3)
        let fired = Promise<Instant, CancellationError>()
        let timer = Timer { fired.succeed(Reactor.now) }
        timer.schedule(at: due)
        #expect(timer.isScheduled)
        #expect(try await fired.value >= due)
        #expect(!timer.isScheduled)

        var isFired = false
        let cancelled = Timer { isFired = true }
        cancelled.schedule(after: .milliseconds(1))
        cancelled.cancel()
        try await Reactor.sleep(for: .milliseconds(3))
        #expect(!isFired)
    }

    @Test @ReactorActor func `a cancelled timer is not scheduled, and fires when it is scheduled again`() async throws {
        var times: [Instant] = []
        let fired = Promise<Void, CancellationError>()
        let timer = Timer {
            times.append(Reactor.now)
            fired.succeed(())
        }
        timer.schedule(after: .seconds(3600))
        timer.cancel()
        #expect(!timer.isScheduled)
        let due = Reactor.now + .milliseconds(2)
        timer.schedule(at: due)
        #expect(timer.isScheduled)
        _ = await fired.result
        #expect(times.count == 1 && times[0] >= due)

        // Also from its own callback, and one that repeats.
        var beats = 0
        let beaten = Promise<Void, CancellationError>()
        var repeating: Timer?
        repeating = Timer {
            beats += 1
            if beats == 2 {
                repeating?.cancel()
                beaten.succeed(())
            }
        }
        repeating?.scheduleRepeating(every: .milliseconds(1))
        _ = await beaten.result
        #expect(repeating?.isScheduled == false)
        try await Reactor.sleep(for: .milliseconds(5))
        #expect(beats == 2)
        repeating = nil
    }

    @Test @ReactorActor func `sleep ends at once when its task is cancelled`() async {
        let task = Task { @ReactorActor in
            do {
                try await Reactor.sleep(for: .seconds(3600))
                return false
            } catch {
                return true
            }
        }
        await Reactor.yield()
        task.cancel()
        #expect(await task.value)
    }

    @Test @ReactorActor func `an end-of-turn job runs once for many calls, after the jobs of the turn`() async {
        var runs = 0
        let flush = EndOfTurn { runs += 1 }
        flush.schedule()
        flush.schedule()
        #expect(runs == 0)
        await Reactor.yield()
        #expect(runs == 1)
        flush.schedule()
        flush.cancel()
        await Reactor.yield()
        #expect(runs == 1)
    }

    @Test @ReactorActor func `a watcher sees bytes on a pipe, and none after it was stopped`() async throws {
        var ends: [CInt] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        defer {
            close(ends[0])
            close(ends[1])
        }
        let ready = Promise<Readiness, CancellationError>()
        let watcher = IOWatcher(descriptor: ends[0], for: .read) { ready.succeed($0) }
        #expect(unsafe write(ends[1], "x", 1) == 1)
        #expect(try await ready.value == .read)
        watcher.stop()
        #expect(!watcher.isActive)
    }

    @Test @ReactorActor func `a child's exit status is reported`() async throws {
        for (script, expected) in [("exit 7", WaitStatus.exited(7)), ("kill -9 $$", .signaled(9))] {
            let pid = try spawnShell(script)
            let ended = Promise<WaitStatus, CancellationError>()
            let watcher = ChildWatcher(pid: pid) { ended.succeed($0) }
            #expect(try await ended.value == expected)
            withExtendedLifetime(watcher) {}
        }
    }

    private func spawnShell(_ script: String) throws -> CInt {
        var pid = pid_t()
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe []
        for argument in ["/bin/sh", "-c", script] { unsafe arguments.append(strdup(argument)) }
        unsafe arguments.append(nil)
        defer { unsafe arguments.forEach { unsafe free($0) } }
        let failure = unsafe posix_spawn(&pid, "/bin/sh", nil, nil, &arguments, environ)
        try #require(failure == 0)
        return pid
    }
}
