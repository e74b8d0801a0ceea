internal import Basics
internal import JSONWire
public import Reactor
internal import WebAPI

/// What the console shows: read once a second, however many look, and not at all while nobody does.
///
/// Each part is read by itself, so that one that is slow or away makes the others no older.
@ReactorActor
public final class ConsoleFeed {
    /// A part, and what was read last.
    private struct Part {
        let section: ConsoleSection
        var bytes: [UInt8]?
        var readAt = Duration.zero
        var failure: String?
        var isReading = false
    }

    /// Pages that may look at a time.
    private static let viewersMax = 64
    private static let interval = Duration.seconds(1)
    private static let patience = Duration.seconds(2)
    private static let topic = "console"

    private var parts: [Part]
    private let broadcast = Broadcast(limit: viewersMax)
    private var ticks: Timer?
    private var tickNumber = 0
    /// Parts that this tick has begun to read.
    private var pending = 0
    private var position: Int64 = 0
    private var waiters: [Promise<Void, Never>] = []

    /// Takes the parts, in the order in which they are shown.
    public init(_ sections: [ConsoleSection]) {
        parts = sections.map { Part(section: $0) }
        ticks = Timer { [unowned self] in tick() }
        broadcast.onIdle = { [unowned self] in
            ticks?.cancel()
            broadcast.forget()
        }
    }

    /// Reads no more.
    public func close() {
        ticks?.cancel()
        ticks = nil
    }

    /// Answers with a stream of snapshots.
    func open(_ context: RequestContext) throws(APIError) {
        try broadcast.open(context, topics: [Self.topic], after: nil)
        guard broadcast.count == 1 else { return }
        ticks?.scheduleRepeating(every: Self.interval)
        tick()
    }

    /// The newest snapshot.
    func snapshot() async -> [UInt8] {
        let promise = Promise<Void, Never>()
        waiters.append(promise)
        tick()
        _ = await promise.result
        return json()
    }

    // MARK: Reading

    private func tick() {
        tickNumber += 1
        let number = tickNumber
        let deadline = Reactor.now + Self.patience
        pending = 0
        for index in parts.indices where !parts[index].isReading {
            parts[index].isReading = true
            pending += 1
            Reactor.spawn { [self] in
                await read(index, by: deadline)
                // Whoever is slower than the next tick is shown with that one.
                guard number == tickNumber else { return }
                pending -= 1
                if pending == 0 { publish() }
            }
        }
        if pending == 0 { publish() }
    }

    private func read(_ index: Int, by deadline: Instant) async {
        do throws(APIError) {
            parts[index].bytes = try await parts[index].section.read(deadline)
            parts[index].failure = nil
            parts[index].readAt = Reactor.unixTime
        } catch {
            parts[index].failure = error.message
        }
        parts[index].isReading = false
    }

    private func publish() {
        for waiter in waiters { waiter.succeed(()) }
        waiters = []
        guard broadcast.count > 0 else { return }
        position = max(position + 1, Int64(Reactor.unixTime.wholeMilliseconds))
        let event = BroadcastEvent("snapshot", of: Self.topic, number: position, data: json())
        if broadcast.isBegun { broadcast.publish(event) } else { broadcast.begin([event], position: position) }
    }

    private func json() -> [UInt8] {
        var writer = JSONWriter(capacity: 32 * 1024)
        writer.object { writer in
            writer.member("time", Timestamp(unixTime: Reactor.unixTime).description)
            for part in parts {
                writer.key(part.section.name)
                writer.object { writer in
                    if let failure = part.failure { writer.member("error", failure) }
                    if let bytes = part.bytes {
                        writer.member("at", Timestamp(unixTime: part.readAt).description)
                        writer.key("data")
                        writer.raw(bytes)
                    }
                }
            }
        }
        return writer.take()
    }
}
