public import Logging
internal import Metrics
public import Reactor
public import Redis

/// A member of a group that has its entries handled in batches, tries again what failed, and acknowledges them.
///
/// - Each entry is handled at least once, whatever is killed when; see ``StreamMember``.
/// - A group that has to be made begins behind what the handler says has had its effect; then the handler is told, who
///   knows how to make good for what is lost.
@ReactorActor
public final class StreamConsumer {
    /// What the consumer has done since it was made.
    public struct Counters: Hashable, Sendable {
        private static let entries = Metric.counter(
            "tickloop_stream_entries_total",
            "Entries of a stream that this process has dealt with, by what became of them.",
            labels: "outcome"
        )

        /// Those whose effect has happened.
        @Counter(Self.entries, "done") package var done = 0
        /// Tries that failed.
        @Counter(Self.entries, "failed") package var failed = 0
        /// Those that were given up.
        @Counter(Self.entries, "dead") package var dead = 0
        /// Those of a consumer that showed no sign of life.
        @Counter(Self.entries, "taken_over") package var takenOver = 0
        /// Groups that had to be made.
        var groupsMade = 0
    }

    /// What the consumer has done.
    public var counters: Counters {
        var counters = ownCounters
        counters.takenOver = member.counters.takenOver
        counters.groupsMade = member.counters.groupsMade
        return counters
    }
    /// Whether it makes sense to fetch; while it does not, other consumers may.
    public var canWork: @ReactorActor () -> Bool = { true }

    private let configuration: StreamConsumerConfiguration
    private let redis: RedisClient
    private let member: StreamMember
    private let handler: any StreamHandler
    private let logger: Logger
    private var machine: StreamConsumerMachine
    private var ownCounters = Counters()
    private var generator = SystemRandomNumberGenerator()
    private var isStopping = false
    private var isBurying = false
    private lazy var retries = Timer { [unowned self] in handleNext() }
    private lazy var endings = Timer { [unowned self] in
        perform(machine.endings())
        member.advance()
    }

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
        self.handler = handler
        self.logger = logger
        machine = StreamConsumerMachine(configuration.limits)
        var membership = configuration.member
        membership.batchLimit = configuration.limits.batchMax
        member = StreamMember(membership, redis: redis, purpose: ":\(membership.group)", logger: logger)
        member.room = { [unowned self] in isStopping || !canWork() ? 0 : machine.room }
        member.onDelivered = { [unowned self] in take($0) }
        member.groupStart = { [unowned self] in
            member.ended(machine.groupLost())
            return await self.handler.position()
        }
        member.onGroupMade = { [unowned self] in await groupWasMade() }
    }

    /// Begins.
    public func start() {
        member.start()
        endings.scheduleRepeating(every: configuration.member.lease / 3)
    }

    /// Takes nothing more, ends what is being handled, and gives the rest back.
    public func stop(within limit: Duration) async {
        isStopping = true
        endings.cancel()
        retries.cancel()
        await member.rest(within: limit) { machine.isBusy || isBurying }
        await member.leave(failures: Dictionary(uniqueKeysWithValues: machine.unfinished.map { ($0.id, $0.failures) }))
    }

    private func groupWasMade() async {
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(5))
        while !(await handler.groupWasMade()), !isStopping {
            guard (try? await Reactor.sleep(for: backoff.next())) != nil else { return }
        }
    }

    // MARK: Handling

    private func take(_ deliveries: [StreamDelivery]) {
        guard !isStopping else { return }
        perform(machine.given(deliveries.map { ($0.entry, $0.number - 1) }, now: Reactor.now))
        handleNext()
    }

    private func handleNext() {
        guard !isStopping else { return }
        guard let batch = machine.next(now: Reactor.now) else {
            if !machine.isBusy, let due = machine.nextDue { retries.schedule(at: due) }
            return
        }
        Reactor.spawn { [self] in
            let verdicts = await handler.handle(batch)
            precondition(verdicts.count == batch.count, "a verdict for each entry")
            for verdict in verdicts {
                switch verdict {
                case .done: ownCounters.done += 1
                case .failed: ownCounters.failed += 1
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
        let member = configuration.member
        let command: [RedisArgument] = ["XACK", .string(member.stream), .string(member.group)]
        redis.command(command + ids.map { .bytes($0.text) }) { [self] result in
            switch result {
            case .success: ended(ids)
            // Their claims went with the group.
            case .failure(let error) where error.isNoGroup: ended(ids)
            // Said again after a while.
            case .failure: break
            }
        }
    }

    private func ended(_ ids: [StreamPosition]) {
        machine.ended(ids)
        member.ended(ids)
        member.advance()
    }

    private func bury(_ dead: [DeadStreamEntry]) {
        guard !isBurying else { return }
        isBurying = true
        Reactor.spawn { [self] in
            defer { isBurying = false }
            guard await handler.willBury(dead) else { return }
            var arguments: [RedisArgument] = [
                .string(configuration.member.group), .integer(Int64(configuration.deadLettersMax)),
            ]
            for letter in dead {
                arguments += [
                    .bytes(letter.entry.id.text), .integer(Int64(letter.attempts)), .string(letter.error),
                    .integer(Int64(letter.entry.fields.count * 2)),
                ]
                for field in letter.entry.fields { arguments += [.string(field.name), .bytes(field.value)] }
            }
            let keys = [configuration.member.stream, configuration.deadLetters]
            guard (try? await StreamScripts.bury.run(on: redis, keys: keys, arguments)) != nil else { return }
            ownCounters.dead += dead.count
            logger.error(
                "stream entries were given up",
                metadata: [
                    "stream": "\(keys[0])", "entries": "\(dead.count)", "reason": "\(dead[0].error)",
                ]
            )
            ended(dead.map(\.entry.id))
        }
    }
}
