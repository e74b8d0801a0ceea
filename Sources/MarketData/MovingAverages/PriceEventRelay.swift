internal import Logging
internal import Postgres
internal import Reactor
internal import Redis

/// Sends the events that the outbox holds to the stream, and removes them when Redis has them.
///
/// At least once: an event is removed only after Redis has said that it is in the stream. Several processes may do it
/// at the same time; they claim what they send under a lease.
@ReactorActor
final class PriceEventRelay {
    /// Events of one claim.
    private static let batch = 512
    /// The most entries that the stream keeps, roughly.
    private static let streamLengthMax = "100000"
    /// How often to look while nobody says that there is something.
    private static let interval = Duration.milliseconds(100)
    /// How long claims last if the process shows no sign of life.
    private static let lease = "10 s"
    private static let renewalInterval = Duration.seconds(2)
    /// How often to claim from the beginning: what was handed back or rolled back is below what was seen last.
    private static let sweepInterval = Duration.seconds(1)
    /// The most that one statement may take.
    private static let timeout = Duration.seconds(5)

    private(set) var sentCount = 0

    private let database: PostgresPool
    private let redis: RedisClient
    private let logger: Logger
    private var owner: String?
    private var renewedAt = Instant.origin
    private var sweptAt = Instant.origin
    private var above: Int64 = 0
    private var isStopping = false
    private var isRunning = false
    private var awakened: Promise<Void, Never>?

    private struct Message {
        let id: Int64
        let attempts: Int64
        let payload: String
        /// Whether messages with lower ids can appear no more.
        let isFinal: Bool
    }

    init(_ database: PostgresPool, _ redis: RedisClient, logger: Logger) {
        self.database = database
        self.redis = redis
        self.logger = logger
    }

    func start() {
        isRunning = true
        Reactor.spawn { [self] in
            while !isStopping {
                if await !relayOnce() { await rest() }
            }
            if let owner {
                _ = try? await database.query(Self.leave, [.text(owner)], deadline: Reactor.now + Self.timeout)
            }
            isRunning = false
        }
    }

    /// There may be something to send.
    func wake() { awakened?.succeed(()) }

    func stop(within limit: Duration) async {
        let deadline = Reactor.now + limit
        isStopping = true
        wake()
        while isRunning, Reactor.now < deadline { try? await Reactor.sleep(for: .milliseconds(10)) }
    }

    private func rest() async {
        let promise = Promise<Void, Never>()
        awakened = promise
        let timer = Timer { promise.succeed(()) }
        timer.schedule(after: Self.interval)
        _ = await promise.result
        timer.cancel()
        awakened = nil
    }

    /// Whether there may be more at once.
    private func relayOnce() async -> Bool {
        guard redis.isReady, database.isReady else { return false }
        do throws(PostgresError) {
            guard let owner = try await ownLease() else { return false }
            let messages = try await claim(owner)
            guard !messages.isEmpty else { return false }
            let isSent = await send(messages)
            let sent = zip(messages, isSent).filter(\.1).map(\.0.id)
            let unsent = zip(messages, isSent).filter { !$0.1 }.map(\.0)
            if !sent.isEmpty { try await remove(sent) }
            if !unsent.isEmpty { try await handBack(unsent, owner) }
            sentCount += sent.count
            return unsent.isEmpty && messages.count == Self.batch
        } catch {
            logger.debug("price events were not sent", metadata: ["reason": "\(error)"])
            return false
        }
    }

    // MARK: Lease

    private static let enter = PostgresStatement("select outbox_enter($1, $2::interval)")
    private static let renew = PostgresStatement("select outbox_renew($1, $2::interval)")
    private static let leave = PostgresStatement("select outbox_leave($1)")

    /// The name under which messages are claimed; a new one when the lease of the last has ended.
    private func ownLease() async throws(PostgresError) -> String? {
        let now = Reactor.now
        if let owner, now - renewedAt < Self.renewalInterval { return owner }
        if let owner {
            let result = try await database.query(
                Self.renew,
                [.text(owner), .text(Self.lease)],
                deadline: now + Self.timeout
            )
            if result.bool(0, 0) == true {
                renewedAt = now
                return owner
            }
            self.owner = nil
        }
        let name = UUIDText.random()
        _ = try await database.query(Self.enter, [.text(name), .text(Self.lease)], deadline: now + Self.timeout)
        owner = name
        renewedAt = now
        return name
    }

    // MARK: Messages

    private static let claim = PostgresStatement(
        "select id, attempts, payload, is_final from outbox_claim($1, $2, $3, $4)"
    )
    private static let takeOver = PostgresStatement(
        "select id, attempts, payload, is_final from outbox_take_over($1, $2, $3)"
    )
    private static let remove = PostgresStatement("select outbox_remove($1::bigint[])")
    private static let handBack = PostgresStatement(
        """
        select outbox_hand_back(
            $1, $2::bigint[], $3::integer[], $4::bigint[], array_fill(null::bigint, array[$5::integer])
        )
        """
    )

    private func claim(_ owner: String) async throws(PostgresError) -> [Message] {
        let now = Reactor.now
        let sweeps = now - sweptAt >= Self.sweepInterval
        var messages: [Message] = []
        if sweeps {
            sweptAt = now
            above = 0
            messages = Self.messages(
                try await database.query(
                    Self.takeOver,
                    [.text(PriceEvent.destination), .text(owner), .int64(Int64(Self.batch))],
                    deadline: now + Self.timeout
                )
            )
            guard messages.isEmpty else { return messages }
        }
        messages = Self.messages(
            try await database.query(
                Self.claim,
                [.text(PriceEvent.destination), .text(owner), .int64(above), .int64(Int64(Self.batch))],
                deadline: now + Self.timeout
            )
        )
        above = max(above, messages.last { $0.isFinal }?.id ?? 0)
        return messages
    }

    private static func messages(_ result: PostgresResult) -> [Message] {
        (0..<result.count).map { row in
            Message(
                id: result.int64(row, 0) ?? 0,
                attempts: result.int64(row, 1) ?? 0,
                payload: result.text(row, 2) ?? "",
                isFinal: result.bool(row, 3) ?? false
            )
        }
    }

    /// Which of them are in the stream now.
    private func send(_ messages: [Message]) async -> [Bool] {
        let replies = messages.map { message -> Promise<RedisReply, RedisError> in
            let promise = Promise<RedisReply, RedisError>()
            guard let event = PriceEvent(payload: message.payload) else {
                // Nobody could make anything of it, however often it came.
                logger.error("a message of the outbox is no price event", metadata: ["message": "\(message.id)"])
                promise.succeed(.null)
                return promise
            }
            redis.command(
                [
                    "XADD", .string(PriceEvent.stream), "MAXLEN", "~", .string(Self.streamLengthMax), "*", "key",
                    .string(event.symbol), "id", .integer(event.priceID), "value", .bytes(event.value),
                ]
            ) { promise.settle($0) }
            return promise
        }
        var isSent: [Bool] = []
        for reply in replies {
            switch await reply.result {
            case .success: isSent.append(true)
            case .failure(let error):
                isSent.append(false)
                logger.debug("a price event was not sent", metadata: ["reason": "\(error)"])
            }
        }
        return isSent
    }

    private func remove(_ ids: [Int64]) async throws(PostgresError) {
        _ = try await database.query(
            Self.remove,
            [.array(ids.lazy.map { String($0) })],
            deadline: Reactor.now + Self.timeout
        )
    }

    private func handBack(_ messages: [Message], _ owner: String) async throws(PostgresError) {
        _ = try await database.query(
            Self.handBack,
            [
                .text(owner), .array(messages.lazy.map { String($0.id) }),
                .array(messages.lazy.map { String($0.attempts + 1) }), .array(messages.lazy.map { _ in "500" }),
                .int64(Int64(messages.count)),
            ],
            deadline: Reactor.now + Self.timeout
        )
    }
}
