public import Logging
public import Reactor
public import Redis

/// One consumer of a group: reads entries, has them handled in batches, acknowledges them, and looks after what others
/// left behind.
///
/// - Each entry is handled at least once, whatever is killed when: it is pending, under this consumer's name, until it
///   is acknowledged, and a consumer that stops renewing its lease loses its entries to another.
/// - A group that is not there, because it never was or because Redis has lost it, is made, behind what the handler
///   says has had its effect; then the handler is told, who knows how to make good for what is lost.
@ReactorActor
public final class StreamConsumer {
    /// What the consumer has done since it was made.
    public struct Counters: Hashable, Sendable {
        /// Entries whose effect has happened.
        public var done = 0
        /// Tries that failed.
        public var failed = 0
        /// Entries that were given up.
        public var dead = 0
        /// Entries taken over from a consumer that showed no sign of life.
        public var takenOver = 0
        /// Groups that had to be made.
        public var groupsMade = 0
    }

    /// How long a read waits in Redis for the next entry.
    private static let block = Duration.seconds(1)
    /// How long consumers that hold nothing may be silent before they are removed.
    private static let consumerStaleAfter = Duration.seconds(600)
    /// How often to look whether there is a connection, or room.
    private static let pause = Duration.milliseconds(50)

    /// What the consumer has done.
    public private(set) var counters = Counters()
    /// Whether it makes sense to fetch; while it does not, other consumers may.
    public var canWork: @ReactorActor () -> Bool = { true }

    private let configuration: StreamConsumerConfiguration
    private let redis: RedisClient
    private let reader: RedisBlockingReader
    private let handler: any StreamHandler
    private let logger: Logger
    private var machine: StreamConsumerMachine
    private var generator = SystemRandomNumberGenerator()
    private var isStopping = false
    private var isBurying = false
    private var isMakingGroup = false
    /// Whether entries may have been handed over by Redis that never arrived.
    private var readsHistory = false
    private var backoff = Backoff(first: .milliseconds(100), cap: .seconds(5))
    private var retries: Timer?
    private var patrols: Timer?

    /// Makes a consumer that does nothing yet.
    ///
    /// - Parameter redis: For commands; it may be shared.
    public init(
        _ configuration: StreamConsumerConfiguration,
        redis: RedisClient,
        handler: any StreamHandler,
        logger: Logger
    ) {
        self.configuration = configuration
        self.redis = redis
        reader = RedisBlockingReader(redis.configuration, purpose: ":\(configuration.group)", logger: logger)
        self.handler = handler
        self.logger = logger
        machine = StreamConsumerMachine(configuration.limits)
        retries = Timer { [unowned self] in handleNext() }
        patrols = Timer { [unowned self] in patrol() }
    }

    /// Begins.
    public func start() {
        reader.start()
        patrols?.scheduleRepeating(every: configuration.lease / 3)
        Reactor.spawn { [self] in await fetch() }
    }

    /// Takes nothing more, ends what is being handled, and gives the rest back.
    public func stop(within limit: Duration) async {
        let deadline = Reactor.now + limit
        isStopping = true
        patrols?.cancel()
        retries?.cancel()
        reader.interrupt(through: redis)
        while machine.isBusy || isBurying || reader.isReading, Reactor.now < deadline {
            try? await Reactor.sleep(for: Self.pause)
        }
        var arguments: [RedisArgument] = [
            .string(configuration.group), .string(configuration.consumer), .integer(leaseMilliseconds),
        ]
        for (id, failures) in machine.unfinished {
            arguments += [.string(id.description), .integer(Int64(failures))]
        }
        _ = try? await StreamScripts.leave.run(on: redis, keys: [configuration.stream], arguments)
        reader.close()
    }

    private var leaseMilliseconds: Int64 { Int64(configuration.lease / .milliseconds(1)) }

    // MARK: Fetching

    private func fetch() async {
        while !isStopping {
            let count = min(machine.room, configuration.limits.batchMax)
            guard count > 0, canWork(), redis.isReady, reader.isReady, !isMakingGroup else {
                try? await Reactor.sleep(for: Self.pause)
                continue
            }
            do throws(RedisError) {
                let entries = try await read(count, ownHistory: readsHistory)
                readsHistory = false
                backoff.reset()
                take(entries.map { ($0, 0) })
            } catch {
                if error.isNoGroup {
                    await makeGroup()
                } else {
                    // What Redis handed over meanwhile is in this consumer's own history.
                    readsHistory = true
                    logger.debug("stream was not read", metadata: ["reason": "\(error)"])
                }
                try? await Reactor.sleep(for: backoff.next())
            }
        }
    }

    private func read(_ count: Int, ownHistory: Bool) async throws(RedisError) -> [StreamEntry] {
        var command = RedisCommand([
            "XREADGROUP", "GROUP", .string(configuration.group), .string(configuration.consumer), "COUNT",
            .integer(Int64(count)), "BLOCK", .integer(Int64(Self.block / .milliseconds(1))), "STREAMS",
            .string(configuration.stream), ownHistory ? "0" : ">",
        ])
        let promise = Promise<RedisReply, RedisError>()
        reader.read(&command, blockingFor: Self.block) { promise.settle($0.copied()) }
        guard let entries = StreamEntry.list(try await promise.value) else { throw .unexpectedReply }
        return entries
    }

    private func take(_ entries: [(entry: StreamEntry, failures: Int)]) {
        guard !entries.isEmpty else { return }
        perform(machine.given(entries, now: Reactor.now))
        handleNext()
    }

    /// Makes the group, and tells the handler if it was not there.
    private func makeGroup() async {
        guard !isMakingGroup else { return }
        isMakingGroup = true
        defer { isMakingGroup = false }
        machine.groupLost()
        guard let position = await handler.position() else { return }
        let reply = try? await StreamScripts.makeGroup.run(
            on: redis,
            keys: [configuration.stream],
            [
                .string(configuration.group), .string(String(position.milliseconds)), .string(String(position.number)),
            ]
        )
        guard reply?.integer == 1 else { return }
        counters.groupsMade += 1
        logger.notice(
            "a consumer group was made",
            metadata: ["stream": "\(configuration.stream)", "group": "\(configuration.group)", "from": "\(position)"]
        )
        while !(await handler.groupWasMade()), !isStopping {
            try? await Reactor.sleep(for: backoff.next())
        }
    }

    // MARK: Handling

    private func handleNext() {
        guard !isStopping else { return }
        guard let batch = machine.next(now: Reactor.now) else {
            if !machine.isBusy, let due = machine.nextDue { retries?.schedule(at: due) }
            return
        }
        Reactor.spawn { [self] in
            let verdicts = await handler.handle(batch)
            precondition(verdicts.count == batch.count, "a verdict for each entry")
            for verdict in verdicts {
                switch verdict {
                case .done: counters.done += 1
                case .failed: counters.failed += 1
                case .unable: break
                }
            }
            perform(machine.handled(Array(zip(batch.map(\.id), verdicts)), now: Reactor.now, using: &generator))
            handleNext()
        }
    }

    private func perform(_ actions: [StreamConsumerMachine.Action]) {
        for action in actions {
            switch action {
            case .acknowledge(let ids): acknowledge(ids)
            case .bury(let dead): bury(dead)
            }
        }
    }

    private func acknowledge(_ ids: [StreamPosition]) {
        let command: [RedisArgument] = ["XACK", .string(configuration.stream), .string(configuration.group)]
        redis.command(command + ids.map { .string($0.description) }) { [self] result in
            switch result {
            case .success: machine.ended(ids)
            // Their claims went with the group.
            case .failure(let error) where error.isNoGroup: machine.ended(ids)
            // Said again by the next patrol.
            case .failure: break
            }
        }
    }

    private func bury(_ dead: [DeadStreamEntry]) {
        guard !isBurying else { return }
        isBurying = true
        Reactor.spawn { [self] in
            defer { isBurying = false }
            guard await handler.willBury(dead) else { return }
            var arguments: [RedisArgument] = [
                .string(configuration.group), .integer(Int64(configuration.deadLettersMax)),
            ]
            for letter in dead {
                arguments += [
                    .string(letter.entry.id.description), .integer(Int64(letter.attempts)), .string(letter.error),
                    .integer(Int64(letter.entry.fields.count * 2)),
                ]
                for field in letter.entry.fields { arguments += [.string(field.name), .bytes(field.value)] }
            }
            let keys = [configuration.stream, configuration.deadLetters]
            guard (try? await StreamScripts.bury.run(on: redis, keys: keys, arguments)) != nil else { return }
            counters.dead += dead.count
            machine.ended(dead.map(\.entry.id))
            logger.error(
                "stream entries were given up",
                metadata: [
                    "stream": "\(configuration.stream)", "entries": "\(dead.count)", "reason": "\(dead[0].error)",
                ]
            )
        }
    }

    // MARK: Leases

    private func patrol() {
        perform(machine.endings())
        guard redis.isReady else { return }
        let room = canWork() ? machine.room : 0
        let arguments: [RedisArgument] = [
            .string(configuration.group), .string(configuration.consumer), .integer(leaseMilliseconds),
            .integer(Int64(min(room, configuration.limits.batchMax))),
            .integer(Int64(Self.consumerStaleAfter / .milliseconds(1))),
        ]
        StreamScripts.patrol.run(on: redis, keys: [configuration.stream]) { command in
            for argument in arguments { command.append(argument) }
        } then: { [self] outcome in
            // A group that is not there is made by the next read.
            guard !isStopping, case .success(let reply) = outcome.copied(), let taken = StreamEntry.taken(reply),
                !taken.isEmpty
            else { return }
            counters.takenOver += taken.count
            take(taken)
        }
    }
}

extension RedisError {
    fileprivate var isNoGroup: Bool {
        if case .refused(let error) = self { error.code == .noGroup } else { false }
    }
}
