internal import Basics
public import Logging
public import Reactor
public import Redis

/// A member of a consumer group: it reads entries, keeps its lease on them, and looks after what others left behind.
/// What becomes of the entries is its owner's matter.
///
/// - An entry stays pending, under this member's name, until the owner acknowledges it. A member that stops renewing
///   its leases loses its entries to another.
/// - A group that is not there, because it never was or because Redis has lost it, is made.
/// - While Redis is away the member waits, and goes on when Redis is back. Entries that were on their way when a
///   connection broke are asked for.
@ReactorActor
public final class StreamMember {
    /// What a member is called, and how long it may be silent.
    public struct Configuration: Sendable {
        /// The key of the stream.
        var stream: String
        /// The group, all of whose members share the entries.
        var group: String
        /// The name of this member; no other may have it at the same time.
        var consumer: String
        /// How long entries stay with a member that shows no sign of life. It renews its leases every fifth of this
        /// time; others look every tenth, and take over what has not been renewed for 7 tenths of it.
        public var lease: Duration = .seconds(5)
        /// Most entries in one read, and in one take-over, which bounds the work of one turn of the loop.
        var batchLimit = 256

        /// Names a member.
        public init(stream: String, group: String, consumer: String) {
            self.stream = stream
            self.group = group
            self.consumer = consumer
        }

        /// How often others' leases are looked at.
        var patrolInterval: Duration { lease / 10 }
    }

    /// What the member has done since it was made.
    public struct Counters: Hashable, Sendable {
        /// Entries read.
        public var fetched = 0
        /// Entries taken over from a lost member, or found again after a lost connection.
        public var takenOver = 0
        /// Leases that were renewed.
        public var leasesRenewed = 0
        /// Leases that another member had taken when they were to be renewed.
        public var leasesLost = 0
        /// Groups that had to be made.
        var groupsMade = 0
    }

    /// How long a read waits in Redis for the next entry.
    private static let block = Duration.milliseconds(1500)
    /// How often to look for members that died, and how long these must have been silent.
    private static let sweepInterval = Duration.seconds(60)
    private static let staleAfter = Duration.seconds(600)
    /// How often to look whether the owner has come to rest.
    private static let restInterval = Duration.milliseconds(10)

    /// The names and times.
    public let configuration: Configuration
    /// What the member has done.
    public private(set) var counters = Counters()

    /// How many more entries the owner takes; asked before each read.
    public var room: @ReactorActor () -> Int = { 0 }
    /// Called with entries that are this member's now.
    public var onDelivered: @ReactorActor ([StreamDelivery]) -> Void = { _ in }
    /// Where a group begins that has to be made; nil when that cannot be found out now. Whatever it had is nobody's.
    var groupStart: @ReactorActor () async -> StreamPosition? = { .start }
    /// Called when a group was made, before anything is read.
    var onGroupMade: @ReactorActor () async -> Void = {}

    private let redis: RedisClient
    private let reader: RedisBlockingReader
    private let logger: Logger
    private var refusedReads = Reminder()
    private var failedPatrols = Reminder()
    private var failedReclaims = Reminder()
    private var machine = StreamMemberMachine()
    private var nextSweep = Instant.now
    private var isClosed = false
    private lazy var patrolTimer = Timer { [unowned self] in
        patrol()
        advance()
    }
    private lazy var renewalTimer = Timer { [unowned self] in renew() }

    /// Makes a member that does nothing yet.
    ///
    /// - Parameters:
    ///   - redis: For commands; it may be shared.
    ///   - purpose: Names the connection for reading.
    public init(_ configuration: Configuration, redis: RedisClient, purpose: String, logger: Logger) {
        self.configuration = configuration
        self.redis = redis
        self.logger = logger
        reader = RedisBlockingReader(redis.configuration, purpose: purpose, logger: logger)
        redis.onStateChange { [weak self] _ in
            self?.machine.connectionChanged()
            self?.advance()
        }
        reader.onStateChange { [unowned self] _ in
            machine.distrust()
            advance()
        }
    }

    /// Begins.
    public func start() {
        reader.start()
        patrolTimer.scheduleRepeating(every: configuration.patrolInterval)
        renewalTimer.scheduleRepeating(every: configuration.lease / 5)
    }

    /// Does nothing more; what it has stays its own until the lease runs out.
    public func close() {
        isClosed = true
        patrolTimer.cancel()
        renewalTimer.cancel()
        reader.close()
    }

    /// Waits until the owner, who must have no room any more, has come to rest.
    ///
    /// - Parameters:
    ///   - limit: How long to wait.
    ///   - isBusy: Whether the owner has something to finish.
    public func rest(within limit: Duration, while isBusy: () -> Bool) async {
        let deadline = Reactor.now + limit
        reader.interrupt(through: redis)
        while isBusy() || reader.isReading, Reactor.now < deadline {
            guard (try? await Reactor.sleep(for: Self.restInterval)) != nil else { return }
        }
    }

    /// Gives back what has not ended, leaves the group, and closes.
    ///
    /// - Parameter failures: How often entries count as tried; the others as often as before they came to this member.
    public func leave(failures: [StreamPosition: Int] = [:]) async {
        do {
            try await giveBack(machine.ids, failures: failures, leaves: true)
        } catch {
            // The leases run out by themselves.
            logger.warning("stream entries not given back", metadata: ["error": "\(error)", "count": "\(count)"])
        }
        close()
    }

    /// How many entries it has that have not ended.
    public var count: Int { machine.count }
    /// Whether it is connected, and the group is there.
    public var isReady: Bool { redis.isReady && machine.isAttended }
    /// Whether a read waits for entries.
    public var isReading: Bool { reader.isReading }
    /// What the connection for reading has done.
    public var readerCounters: RedisCounters { reader.counters }

    /// Makes a read that waits return now, without losing what is on its way.
    public func interrupt() { reader.interrupt(through: redis) }

    /// Entries were acknowledged, or are somebody else's: they are no longer renewed.
    public func ended(_ ids: some Sequence<StreamPosition>) { machine.ended(ids) }

    /// Entries may be under this name that never arrived, or that were given back and taken by nobody.
    public func lookForLost() { machine.distrust() }

    /// Does what comes next. To be called when there may be room again.
    public func advance() {
        guard !isClosed else { return }
        switch machine.next(isConnected: redis.isReady, canRead: reader.isReady, room: room()) {
        case .patrol?: patrol()
        case .reclaim?: reclaim()
        case .read(let count)?: read(min(count, configuration.batchLimit))
        case nil: break
        }
    }

    /// Lets others have entries at once. The delivery to this member does not count.
    public func giveBack(_ ids: [StreamPosition]) async throws(RedisError) {
        try await giveBack(ids, failures: [:], leaves: false)
    }

    private func giveBack(
        _ ids: [StreamPosition],
        failures: [StreamPosition: Int],
        leaves: Bool
    ) async throws(RedisError) {
        var arguments: [RedisArgument] = [
            .string(configuration.group), .string(configuration.consumer), leaves ? 1 : 0,
        ]
        for id in ids {
            arguments += [.bytes(id.text), .string(failures[id].map { String($0) } ?? "")]
        }
        _ = try await StreamScripts.giveBack.run(on: redis, keys: [configuration.stream], arguments)
        machine.ended(ids)
    }

    private func deliver(_ deliveries: [StreamDelivery]) {
        let new = deliveries.filter { machine.given($0.entry.id) }
        if !new.isEmpty { onDelivered(new) }
        advance()
    }

    // MARK: Reading

    private func read(_ count: Int) {
        var command = RedisCommand()
        for word in ["XREADGROUP", "GROUP", configuration.group, configuration.consumer, "COUNT"] {
            command.append(word)
        }
        // Not more than is wanted now: the lease of an entry runs from its delivery.
        command.append(count)
        command.append("BLOCK")
        command.append(Self.block.wholeMilliseconds)
        for word in ["STREAMS", configuration.stream, ">"] { command.append(word) }
        reader.read(&command, blockingFor: Self.block) { [weak self] outcome in
            switch outcome {
            case .reply(let reply): self?.fetched(StreamDelivery.read(reply))
            case .failed(let error): self?.readFailed(error)
            }
        }
    }

    private func fetched(_ deliveries: [StreamDelivery]) {
        counters.fetched += deliveries.count
        deliver(deliveries)
    }

    private func readFailed(_ error: RedisError) {
        if error.mayHaveHappened { machine.distrust() }
        // A connection that is gone comes back and goes on from here; what was refused is tried again by a patrol.
        guard case .refused = error else { return }
        if let unsaid = refusedReads.isDue(at: Reactor.now) {
            logger.warning("reading a stream failed", metadata: ["error": "\(error)", "unsaid": "\(unsaid)"])
        }
        if error.isNoGroup { makeGroup() }
    }

    private func reclaim() {
        machine.beginReclaim()
        let known = machine.ids
        StreamScripts.reclaim.run(on: redis, keys: [configuration.stream]) { command in
            command.append(configuration.group)
            command.append(configuration.consumer)
            command.append(known.count + configuration.batchLimit)
            for id in known { command.append(id.text) }
        } then: { [weak self] outcome in
            guard let self else { return }
            switch outcome {
            case .reply(let reply):
                let found = StreamDelivery.list(reply)
                // There may be more.
                machine.endReclaim(succeeded: found.count < configuration.batchLimit)
                counters.takenOver += found.count
                deliver(found)
            case .failed(let error):
                machine.endReclaim(succeeded: false)
                if let unsaid = failedReclaims.isDue(at: Reactor.now) {
                    logger.warning(
                        "asking for lost entries failed",
                        metadata: ["error": "\(error)", "unsaid": "\(unsaid)"]
                    )
                }
                if error.isNoGroup { makeGroup() }
            }
        }
    }

    /// Makes the group, and tells the owner if it was not there.
    private func makeGroup() {
        guard machine.beginGroup() else { return }
        Reactor.spawn { [weak self] in
            let isThere = await self?.makeGroupNow() ?? false
            self?.machine.endGroup()
            // Otherwise the next patrol tries again.
            if isThere { self?.patrol() }
        }
    }

    private func makeGroupNow() async -> Bool {
        guard let position = await groupStart() else { return false }
        let arguments: [RedisArgument] = [
            .string(configuration.group), .string(String(position.milliseconds)), .string(String(position.number)),
        ]
        let reply = try? await StreamScripts.makeGroup.run(on: redis, keys: [configuration.stream], arguments)
        guard reply?.integer == 1 else { return reply?.integer == 0 }
        counters.groupsMade += 1
        logger.notice(
            "a consumer group was made",
            metadata: ["stream": "\(configuration.stream)", "group": "\(configuration.group)", "from": "\(position)"]
        )
        await onGroupMade()
        return true
    }

    // MARK: Leases

    private func renew() {
        let due = machine.leased
        guard redis.isReady, !due.isEmpty else { return }
        StreamScripts.renew.run(on: redis, keys: [configuration.stream]) { command in
            command.append(configuration.group)
            command.append(configuration.consumer)
            for id in due { command.append(id.text) }
        } then: { [weak self] outcome in
            guard let self else { return }
            switch outcome {
            case .reply(let reply): renewed(due.count, lost: StreamDelivery.ids(reply))
            // Asked again soon.
            case .failed: break
            }
        }
    }

    private func renewed(_ count: Int, lost: [StreamPosition]) {
        counters.leasesRenewed += count - lost.count
        for id in lost where machine.lost(id) {
            counters.leasesLost += 1
            logger.warning("lease lost", metadata: ["entry": "\(id)"])
        }
    }

    /// Makes sure of the group, and takes over what others left behind.
    public func patrol() {
        let sweeps = nextSweep <= Reactor.now
        if sweeps { nextSweep = Reactor.now + Self.sweepInterval }
        patrol(removingMembersSilentFor: sweeps ? Self.staleAfter : nil)
    }

    /// - Parameter staleAfter: When given, members are removed that have nothing and have been silent for so long.
    func patrol(removingMembersSilentFor staleAfter: Duration?) {
        guard !isClosed, redis.isReady, machine.beginPatrol() else { return }
        StreamScripts.patrol.run(on: redis, keys: [configuration.stream]) { command in
            command.append(configuration.group)
            command.append(configuration.consumer)
            command.append((configuration.lease * 7 / 10).wholeMilliseconds)
            command.append(max(0, min(room(), configuration.batchLimit)))
            command.append(staleAfter.map { String($0.wholeMilliseconds) } ?? "")
        } then: { [weak self] outcome in
            guard let self else { return }
            switch outcome {
            case .reply(let reply):
                machine.endPatrol(succeeded: true)
                let taken = StreamDelivery.list(reply)
                counters.takenOver += taken.count
                deliver(taken)
            case .failed(let error):
                machine.endPatrol(succeeded: false)
                guard !error.isNoGroup else { return makeGroup() }
                if let unsaid = failedPatrols.isDue(at: Reactor.now) {
                    logger.warning(
                        "looking after a group failed",
                        metadata: ["error": "\(error)", "unsaid": "\(unsaid)"]
                    )
                }
            }
        }
    }
}

extension RedisError {
    /// Whether the stream, or its group, is not there.
    var isNoGroup: Bool {
        if case .refused(let error) = self { error.code == .noGroup } else { false }
    }
}
