import JSONWire
import Logging
import Reactor
import Redis
import Supervision
import TestSupport
import Testing
import Tracing

@testable import TaskQueue

/// A queue of its own for one test, with times short enough to wait for.
@ReactorActor
final class QueueFixture {
    var configuration: TaskQueueConfiguration
    var settings: RedisConfiguration
    /// For looking at the keys, independently of the code under test.
    let redis: RedisClient
    let keys: QueueKeys
    /// Of the clients and workers that are made from now on.
    var logger = QueueFixture.quiet
    private var workers: [TaskWorker] = []
    private var clients: [TaskQueueClient] = []

    static let quiet = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }
    private static var count = 0

    /// - Parameter server: A server that the test may stop; nil means the shared one.
    init(server: TestRedis? = nil) async throws {
        Self.count += 1
        let name = "test\(Self.count)"
        let address = if let server { server.address } else { try await TestServers.redis().address }
        configuration = TaskQueueConfiguration(name: name)
        configuration.lease = .milliseconds(500)
        // The loop of a busy test process stalls now and then.
        configuration.lossGrace = .seconds(30)
        configuration.retry = RetryPolicy(firstDelay: .milliseconds(20), delayCap: .milliseconds(50), attemptLimit: 3)
        settings = RedisConfiguration(endpoint: address.endpoint, clientName: name)
        keys = QueueKeys(queue: configuration.name)
        var patient = settings
        patient.commandTimeout = .seconds(30)
        patient.stallTimeout = .seconds(30)
        redis = RedisClient(patient, logger: Self.quiet)
        redis.start()
        try #require(await redis.waitUntilReady(within: .seconds(10)))
    }

    var administration: TaskQueueAdministration { TaskQueueAdministration(configuration, redis: redis) }

    func client() async throws -> TaskQueueClient {
        let client = TaskQueueClient(configuration, redis: settings, logger: logger)
        clients.append(client)
        client.start()
        try await eventually("the client is connected") { client.isReady }
        return client
    }

    /// A started worker.
    func worker(tracer: Tracer? = nil, _ register: (TaskWorker) -> Void) async throws -> TaskWorker {
        let worker = TaskWorker(configuration, redis: settings, tracer: tracer, logger: logger)
        workers.append(worker)
        register(worker)
        worker.start()
        try await eventually("the worker is connected") { worker.isReady }
        return worker
    }

    /// A worker whose task `echo` answers its arguments.
    func echo() async throws -> TaskWorker { try await worker { $0.register("echo", Self.echo) } }

    static func echo(_ context: TaskContext) async -> TaskResult { .success(context.arguments.encoded) }

    /// As if killed: no drain, no handing back.
    func kill(_ worker: TaskWorker) { worker.abandon() }

    func close() {
        for client in clients { client.close() }
        for worker in workers { worker.abandon() }
        redis.close()
    }

    func length(_ key: String) async throws -> Int64? { try await redis.command(["XLEN", .string(key)]).integer }

    func pending() async throws -> Int64? {
        try await redis.command(["XPENDING", .string(keys.stream), .string(QueueKeys.group)]).array?.first?.integer
    }

    /// A request with plenty of time.
    func request(_ name: String, _ arguments: JSONValue = .null, within limit: Duration = .seconds(30)) -> TaskRequest {
        TaskRequest(name: name, arguments: arguments, deadline: Reactor.now + limit, requestID: "test")
    }
}

/// What a handler of a test has seen.
@ReactorActor
final class Recorder: TaskHandler {
    var contexts: [TaskContext] = []
    var batches: [Int] = []
    /// Handlers that wait at the gate; nil while it is open.
    private var waiting: [Promise<Void, Never>]?

    func start(_ batch: [TaskContext]) {
        contexts += batch
        batches.append(batch.count)
        Reactor.spawn { [self] in
            await pass()
            for context in batch { context.finish(.success(context.arguments.encoded)) }
        }
    }

    func close() { waiting = [] }

    func open() {
        for promise in waiting ?? [] { promise.succeed(()) }
        waiting = nil
    }

    func pass() async {
        guard waiting != nil else { return }
        let promise = Promise<Void, Never>()
        waiting?.append(promise)
        _ = await promise.result
    }
}
