internal import CMeasure
internal import Glibc
internal import JSONWire
internal import Logging
internal import Reactor
internal import Redis
internal import TaskQueue

/// Measures a task's way from a client through Redis to a worker and back; both are in this process, on one loop.
func runQueue(_ measure: @escaping @Sendable (Workload) -> Void) -> Never {
    let server = RedisServer()
    allocations_count_this_thread()
    exit(
        Reactor.run {
            let queue = RoundTrip(on: server)
            await queue.connect()
            startThread {
                measure { count in queue.run(count) }
                server.remove()
                exit(0)
            }
            // The thread ends the process.
            _ = await Promise<Void, Never>().result
            return 1
        }
    )
}

/// A client and a worker of one queue.
@ReactorActor
private final class RoundTrip {
    private let client: TaskQueueClient
    private let worker: TaskWorker
    private let arguments: JSONValue = ["start_date": "2025-01-06", "end_date": "2025-01-20"]
    /// Tells the thread that waits: one byte for each task.
    private let done = Pipe()

    init(on server: RedisServer) {
        let configuration = TaskQueueConfiguration(name: "benchmark")
        let redis = RedisConfiguration(endpoint: .unix(path: server.path))
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        client = TaskQueueClient(configuration, redis: redis, logger: logger)
        worker = TaskWorker(configuration, redis: redis, logger: logger)
        let answer = Array(Example.answer(days: 15).utf8)
        worker.register("prices.average") { _ in .success(answer) }
    }

    func connect() async {
        client.start()
        worker.start()
        while !client.isReady || !worker.isReady { try? await Reactor.sleep(for: .milliseconds(5)) }
    }

    /// Sends tasks one after the other, from the other thread.
    nonisolated func run(_ count: Int) {
        for _ in 0..<count {
            Reactor.post { self.submit() }
            done.wait()
            waitUntilIdle()
        }
    }

    private func submit() {
        var request = TaskRequest(name: "prices.average", arguments: arguments)
        request.deadline = Reactor.now + .seconds(10)
        request.requestID = Example.requestID
        request.traceparent = Example.trace
        client.submitAndWait(request) { [done] outcome in
            guard case .success(.success) = outcome else { preconditionFailure("the task failed: \(outcome)") }
            done.signal()
        }
    }
}

/// A Redis without persistence, which ends with this process.
private struct RedisServer: Sendable {
    private let folder = makeFolder()
    var path: String { folder + "/socket" }

    init() {
        let options = "--port 0 --unixsocket \(path) --save '' --appendonly no --dir \(folder)"
        let command = "exec setpriv --pdeathsig KILL redis-server \(options) >/dev/null"
        precondition(unsafe popen(command, "r") != nil, "cannot start redis-server: \(errno)")
    }

    func remove() {
        unsafe unlink(path)
        unsafe rmdir(folder)
    }
}

/// Wakes a thread that waits, without memory.
private struct Pipe: Sendable {
    private let reading: CInt
    private let writing: CInt

    init() {
        var ends: [CInt] = [0, 0]
        precondition(unsafe pipe(&ends) == 0, "pipe failed: \(errno)")
        (reading, writing) = (ends[0], ends[1])
    }

    func signal() {
        var byte: UInt8 = 0
        precondition(unsafe write(writing, &byte, 1) == 1, "write failed: \(errno)")
    }

    func wait() {
        var byte: UInt8 = 0
        precondition(unsafe read(reading, &byte, 1) == 1, "read failed: \(errno)")
    }
}
