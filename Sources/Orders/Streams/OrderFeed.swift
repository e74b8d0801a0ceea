internal import Logging
internal import Postgres
internal import Reactor
internal import WebAPI

/// Tells streams of what happens to orders. One reader for all of them, which looks only while there are some.
///
/// Looking at intervals is what makes it right; being woken only makes it fast.
@ReactorActor
final class OrderFeed {
    /// From one look to the next, if nothing wakes it.
    private static let interval = Duration.milliseconds(250)
    /// Events that are read at once.
    private static let pageSize = 200
    /// The most that one statement may take.
    private static let timeout = Duration.seconds(10)
    /// After a page that could not be read.
    private static let pause = Duration.seconds(1)
    /// Most streams at a time. Each belongs to somebody, and has a connection of its own.
    private static let streamsMax = 5000

    /// What a client has is not to be gone on from.
    private static let reset = ServerSentEvent("reset", id: "0", data: "{}".utf8)

    private let reader: OrderReader
    private let logger: Logger
    private let streams = EventStreams(limit: streamsMax)
    private var ofAll: Set<Subscriber> = []
    private var ofOne: [OrderID: Set<Subscriber>] = [:]
    /// Up to where all subscribers have been told.
    private var position: Int64 = 0
    private var timer: Timer?
    private var lookout: Lookout?

    init(_ reader: OrderReader, logger: Logger) {
        self.reader = reader
        self.logger = logger
        lookout = Lookout { [weak self] in await self?.readOn() }
        timer = Timer { [unowned self] in wake() }
    }

    /// Streams that are open.
    var streamCount: Int { streams.count }

    /// There may be new events.
    func wake() {
        if !isIdle { lookout?.look() }
    }

    /// Answers a request with the events of one order, or of all, from behind a position on. A position that there has
    /// never been is of another history: the client is told to begin anew, and gets everything.
    func serve(_ context: RequestContext, of id: OrderID?, after position: Int64) async throws(PostgresError) {
        let last = position > 0 ? try await reader.lastPosition(deadline: context.deadline) : 0
        let isKnown = position <= last
        if isIdle {
            let last = try await reader.settledPosition(deadline: context.deadline)
            // Another may have begun meanwhile, and been told of more since.
            if isIdle { self.position = last }
        }
        do throws(APIError) {
            guard let stream = try streams.open(context) else { return }
            if !isKnown { stream.send(Self.reset.bytes) }
            let subscriber = Subscriber(
                stream,
                of: id,
                owner: context.caller?.subject,
                after: isKnown ? position : 0
            )
            add(subscriber)
            stream.onEnd = { [self] in remove(subscriber) }
            await catchUp(subscriber)
        } catch {
            context.fail(error)
        }
    }

    // MARK: What is stored

    /// Sends what is stored at the client's pace, until what happens can be sent as it does.
    private func catchUp(_ subscriber: Subscriber) async {
        while !subscriber.join.isLive, await subscriber.stream.waitForRoom() {
            do throws(PostgresError) {
                let page = try await reader.events(
                    of: subscriber.id,
                    ownedBy: subscriber.owner,
                    after: subscriber.join.position,
                    known: position,
                    limit: Self.pageSize,
                    deadline: Reactor.now + Self.timeout
                )
                subscriber.wasRead(page.map { FeedEvent($0) }, isFull: page.count == Self.pageSize)
            } catch {
                // The client keeps its stream, which goes on when the database is back.
                logger.debug("a stream of orders waits", metadata: ["reason": "\(error)"])
                try? await Reactor.sleep(for: Self.pause)
            }
        }
    }

    // MARK: What happens

    private var isIdle: Bool { ofAll.isEmpty && ofOne.isEmpty }

    private func add(_ subscriber: Subscriber) {
        if isIdle { timer?.scheduleRepeating(every: Self.interval) }
        if let id = subscriber.id { ofOne[id, default: []].insert(subscriber) } else { ofAll.insert(subscriber) }
    }

    private func remove(_ subscriber: Subscriber) {
        if let id = subscriber.id {
            ofOne[id]?.remove(subscriber)
            if ofOne[id]?.isEmpty == true { ofOne[id] = nil }
        } else {
            ofAll.remove(subscriber)
        }
        if isIdle { timer?.cancel() }
    }

    private func readOn() async {
        guard !isIdle else { return }
        let position = position
        do throws(PostgresError) {
            let events = try await reader.events(
                after: position,
                known: position,
                limit: Self.pageSize,
                deadline: Reactor.now + Self.timeout
            )
            // If all left meanwhile, who came then began elsewhere.
            guard position == self.position, let last = events.last else { return }
            self.position = last.position
            if events.count == Self.pageSize { lookout?.look() }
            tell(events.map { FeedEvent($0) })
        } catch {
            logger.debug("the events of orders were not read", metadata: ["reason": "\(error)"])
        }
    }

    private func tell(_ events: [FeedEvent]) {
        for subscriber in ofAll { subscriber.happened(events) }
        guard !ofOne.isEmpty else { return }
        for event in events {
            guard let subscribers = ofOne[event.orderID] else { continue }
            for subscriber in subscribers { subscriber.happened([event]) }
        }
    }
}

/// A stream, and how far it is.
@ReactorActor
private final class Subscriber: Hashable {
    let stream: EventStream
    /// The order of which it wants the events; nil for all.
    let id: OrderID?
    /// Whose events it may see; nil for everybody's.
    let owner: String?
    private(set) var join: EventJoin

    init(_ stream: EventStream, of id: OrderID?, owner: String?, after position: Int64) {
        self.stream = stream
        self.id = id
        self.owner = owner
        join = EventJoin(after: position)
    }

    func happened(_ events: [FeedEvent]) { send(join.happened(events)) }

    func wasRead(_ page: [FeedEvent], isFull: Bool) { send(join.wasRead(page, isFull: isFull)) }

    private func send(_ events: [FeedEvent]) {
        let events = owner == nil ? events : events.filter { $0.owner == owner }
        guard let first = events.first else { return }
        stream.send(events.count == 1 ? first.bytes : Array(events.map(\.bytes).joined()))
    }

    nonisolated static func == (left: Subscriber, right: Subscriber) -> Bool { left === right }

    nonisolated func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

extension FeedEvent {
    /// What listeners in a browser name.
    private static let eventType = "order"

    init(_ event: OrderEvent) {
        position = event.position
        orderID = event.orderID
        owner = event.owner
        bytes = ServerSentEvent(Self.eventType, id: String(event.position), data: event.json).bytes
    }
}
