internal import Glibc
internal import Synchronization

/// Runs Swift's concurrency jobs on the event loop's thread.
///
/// A job that is enqueued on the loop's own thread goes into a plain array, which the loop drains at the end of each
/// turn: no lock and no system call. One from another thread takes a lock and wakes the loop up, so a mistake such as
/// `Task.sleep` is slow, not fatal.
final class LoopExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
    static let shared = LoopExecutor()

    /// What another thread handed over.
    enum Foreign: Sendable {
        case job(UnownedJob)
        case call(@Sendable @ReactorActor () -> Void)
    }

    /// The loop's thread as `pthread_self()` names it; 0 before a thread has adopted the loop.
    private let owner = Atomic<UInt>(0)
    private let foreign = Mutex<[Foreign]>([])

    /// Jobs enqueued since the last drain; touched by the loop's thread only.
    private var local: [UnownedJob] = []
    /// The array of the drain before, kept for its capacity; touched by the loop's thread only.
    private var spare: [UnownedJob] = []

    var isOnLoopThread: Bool { owner.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// Makes the calling thread the loop's, for good.
    func adoptCurrentThread() {
        let (adopted, _) = owner.compareExchange(expected: 0, desired: UInt(pthread_self()), ordering: .relaxed)
        precondition(adopted || isOnLoopThread, "The event loop already runs on another thread of this process.")
    }

    // MARK: SerialExecutor, TaskExecutor

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isOnLoopThread {
            local.append(job)
        } else {
            post(.job(job))
        }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { unsafe UnownedSerialExecutor(ordinary: self) }

    func asUnownedTaskExecutor() -> UnownedTaskExecutor { unsafe UnownedTaskExecutor(ordinary: self) }

    func isIsolatingCurrentContext() -> Bool? { isOnLoopThread }

    func checkIsolated() {
        precondition(isOnLoopThread, "This must run on the thread of the event loop.")
    }

    // MARK: The loop's side

    /// Hands work over from any thread and wakes the loop up.
    func post(_ work: Foreign) {
        foreign.withLock { $0.append(work) }
        Loop.wakeUp()
    }

    var hasJobs: Bool { !local.isEmpty }

    /// Runs the jobs that were enqueued before this call; those that they enqueue wait for the next.
    func runJobs() {
        swap(&local, &spare)
        for job in spare {
            unsafe job.runSynchronously(
                isolatedTo: asUnownedSerialExecutor(),
                taskExecutor: asUnownedTaskExecutor()
            )
        }
        spare.removeAll(keepingCapacity: true)
    }

    /// Takes what other threads handed over since the last call.
    @ReactorActor
    func takeForeignWork() {
        let work = foreign.withLock { work in
            defer { work = [] }
            return work
        }
        for item in work {
            switch item {
            case .job(let job): local.append(job)
            case .call(let body): body()
            }
        }
    }
}
