internal import Logging
internal import Reactor
internal import Redis

/// Reads the results that workers write for this process, from a stream of its own.
///
/// A stream, because it can be read again: after a lost connection reading goes on behind the last entry that was seen,
/// so a lost connection costs time and never a result. What has been read is trimmed. The stream carries a time to live
/// that each write renews, so what a dead process leaves behind vanishes by itself.
@ReactorActor
final class ReplyReader {
    /// How long a read waits in Redis for the next entry.
    private static let block = Duration.seconds(5)
    /// Most entries in one read.
    private static let fetchLimit = 64
    /// Entries that may be read before they are trimmed.
    private static let trimAfter = 64

    /// The stream's key; made for this process alone.
    let key: String
    private let redis: RedisClient
    private let reader: RedisBlockingReader
    private let logger: Logger
    /// Called with each task's encoded outcome.
    var onReply: (TaskID, Span<UInt8>) -> Void = { _, _ in }
    private var lastSeen = StreamEntryID.zero
    private var untrimmed = 0
    private lazy var retryTimer = Timer { [unowned self] in advance() }

    /// - Parameter redis: For trimming.
    init(key: String, redis: RedisClient, settings: RedisConfiguration, logger: Logger) {
        self.key = key
        self.redis = redis
        self.logger = logger
        reader = RedisBlockingReader(settings, purpose: ":replies", logger: logger)
        reader.onStateChange { [weak self] _ in self?.advance() }
    }

    func start() { reader.start() }

    func close() {
        retryTimer.cancel()
        reader.close()
    }

    /// What its connection has done.
    var counters: RedisCounters { reader.counters }

    /// Whether results can arrive.
    var isConnected: Bool { reader.isReading }

    /// Calls `observer` when results can arrive, or no longer can.
    func onStateChange(_ observer: @escaping @ReactorActor () -> Void) { reader.onStateChange { _ in observer() } }

    private func advance() {
        guard reader.isReady else { return }
        var command: RedisCommand = ["XREAD", "COUNT", .integer(Int64(Self.fetchLimit)), "BLOCK"]
        command.append(Self.block.wholeMilliseconds)
        command.append("STREAMS")
        command.append(key)
        command.append(lastSeen.description)
        reader.read(&command, blockingFor: Self.block) { [weak self] outcome in
            guard let self else { return }
            switch outcome {
            case .reply(let reply):
                received(reply)
                advance()
            case .failed(.refused(let error)):
                logger.error("reading results failed", metadata: ["error": "\(error)"])
                retryTimer.schedule(after: .seconds(1))
            case .failed: break  // The connection is gone; its return goes on from here.
            }
        }
    }

    /// Reads `[[key, [[entry, [task, outcome, task, outcome, …]], …]]]`, or nothing after a quiet time.
    private func received(_ reply: borrowing RedisReplyView) {
        guard reply.count == 1, reply[0].count == 2 else { return trim(after: 1) }
        let count = reply[0][1].count
        for index in 0..<count {
            guard reply[0][1][index].count == 2 else { continue }
            if let entry = reply[0][1][index][0].withBytes({ text in StreamEntryID(text) }) { lastSeen = entry }
            for field in stride(from: 0, to: reply[0][1][index][1].count - 1, by: 2) {
                guard let id = reply[0][1][index][1][field].withBytes({ text in TaskID(text) }) else { continue }
                reply[0][1][index][1][field + 1].withBytes { outcome in onReply(id, outcome) }
            }
        }
        untrimmed += count
        trim(after: Self.trimAfter)
    }

    private func trim(after limit: Int) {
        guard untrimmed >= limit else { return }
        untrimmed = 0
        // Keeps the last entry. Losing this command costs memory in Redis for a while.
        redis.command(["XTRIM", .string(key), "MINID", .string(lastSeen.description)]) { _ in }
    }
}
