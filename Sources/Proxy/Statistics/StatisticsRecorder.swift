internal import Basics
internal import Logging
internal import Reactor
internal import TaskQueue

/// Gathers what was carried, and hands it to the workers in batches, so that no request waits for it.
///
/// Bounded: what finds no room is counted as dropped. While the queue takes nothing, batches are kept and tried again;
/// one whose fate is unknown goes again under its id, by which it is taken once.
@ReactorActor
final class StatisticsRecorder {
    /// A batch that is whole.
    private struct Sealed {
        let arguments: String
        let requests: Int
    }

    /// How long a request waits for others to share its batch.
    private static let interval = Duration.milliseconds(250)
    /// After which a batch that was not taken is tried again.
    private static let pause = Duration.milliseconds(500)
    /// Requests of one batch at most.
    ///
    /// More would cost PostgreSQL less for each, but keep it busy for so long at a time that requests notice, where all
    /// share few cores. Not beyond 4096, which is what a segment may have.
    private static let batchRequestsMax = 2000
    /// Bytes of one batch at most, beyond the last request.
    private static let batchBytesMax = 512 * 1024
    /// Bytes that wait at most, all batches together: some 300,000 requests, unless most paths differ.
    private static let waitingBytesMax = 8 * 1024 * 1024

    /// Requests that were taken.
    private(set) var recorded = 0
    /// Requests that found no room.
    private(set) var dropped = 0

    private let queue: TaskQueueClient
    private let logger: Logger
    private var batch = StatisticsBatch()
    private var waiting: [Sealed] = []
    private var waitingBytes = 0
    private var isSending = false
    private var isClosed = false
    private var timer: Timer?
    private var emptied: [Promise<Void, Never>] = []

    /// Makes a recorder that submits to `queue`, which stays its owner's.
    init(_ queue: TaskQueueClient, logger: Logger) {
        self.queue = queue
        self.logger = logger
        timer = Timer { [unowned self] in seal() }
    }

    func record(_ request: CarriedRequest) {
        guard waitingBytes + batch.byteCount < Self.waitingBytesMax, !isClosed else {
            dropped += 1
            return
        }
        recorded += 1
        if batch.requestCount == 0 { timer?.schedule(after: Self.interval) }
        batch.append(request)
        if batch.requestCount == Self.batchRequestsMax || batch.byteCount >= Self.batchBytesMax { seal() }
    }

    /// Waits until everything is with the queue, or until the deadline.
    func drain(until deadline: Instant) async {
        seal()
        guard isSending else { return close() }
        let promise = Promise<Void, Never>()
        emptied.append(promise)
        let limit = Timer { promise.succeed(()) }
        limit.schedule(at: deadline)
        _ = await promise.result
        limit.cancel()
        close()
    }

    private func close() {
        isClosed = true
        dropped += waiting.reduce(0) { $0 + $1.requests }
        recorded -= waiting.reduce(0) { $0 + $1.requests }
        waiting = []
    }

    /// Ends the batch that is being gathered.
    private func seal() {
        timer?.cancel()
        guard batch.requestCount > 0 else { return }
        var generator = SystemRandomNumberGenerator()
        let id = Hexadecimal.text(generator.next()) + Hexadecimal.text(generator.next())
        let requests = batch.requestCount
        let arguments = String(decoding: batch.take(id: id), as: UTF8.self)
        waiting.append(Sealed(arguments: arguments, requests: requests))
        waitingBytes += arguments.utf8.count
        if !isSending {
            isSending = true
            Reactor.spawn { [self] in await send() }
        }
    }

    private func send() async {
        while let batch = waiting.first {
            do throws(TaskQueueError) {
                try await queue.submit(TaskRequest(name: StatisticsTask.name, encodedArguments: batch.arguments))
            } catch {
                logger.debug("statistics wait for the queue", metadata: ["reason": "\(error)"])
                try? await Reactor.sleep(for: Self.pause)
                continue
            }
            // It may have been given up meanwhile.
            guard !waiting.isEmpty else { break }
            waiting.removeFirst()
            waitingBytes -= batch.arguments.utf8.count
        }
        isSending = false
        for promise in emptied { promise.succeed(()) }
        emptied = []
    }
}
