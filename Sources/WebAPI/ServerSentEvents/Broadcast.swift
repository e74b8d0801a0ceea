internal import HTTPServer
internal import HTTPWire
public import Reactor

/// An event that many get, encoded once for all of them.
public struct BroadcastEvent: Sendable {
    /// What it is news of. A newer event of a topic makes an older one superfluous.
    public let topic: String
    /// Its place among the events of all topics, and its `id`.
    public let number: Int64
    let piece: HTTPPiece

    /// Makes an event.
    ///
    /// - Parameters:
    ///   - type: What clients listen for.
    ///   - data: Of any lines.
    public init(_ type: String, of topic: String, number: Int64, data: some Collection<UInt8>) {
        self.topic = topic
        self.number = number
        piece = HTTPPiece(ServerSentEvent(type, id: String(number), data: data).bytes)
    }
}

/// Tells many thousands of clients of the newest events of the topics that each of them wants.
///
/// What there is to tell comes from outside: first the newest event of every topic (``begin(_:position:)``), then each
/// event as it happens (``publish(_:)``). A client is a socket and the number of the last event that it has. Who reads
/// too slowly is told only of the newest event of each topic, and who does not read at all is cut.
///
/// A client that comes back with the id of its last event gets what came after it, as long as that is known; otherwise
/// an event `reset`, and the newest of each topic as at the beginning.
@ReactorActor
public final class Broadcast {
    /// What it has done.
    public struct Counters: Hashable, Sendable {
        /// Events that were given to sockets.
        public internal(set) var sent = 0
        /// Events that came while a client was not ready, and that it is told of later or never.
        public internal(set) var late = 0
        /// Clients that were cut because they did not read.
        public internal(set) var cut = 0
    }

    /// Events that clients may come back for.
    private static let recentMax = 8192
    /// Topics of which the newest event is kept though nobody listens, about: a quarter is forgotten at a time.
    private static let topicsMax = 20_000
    /// Sockets that are written to before the loop goes on to other work: some milliseconds.
    private static let sendsPerTurn = 500
    /// Events that wait for their turn, past which those are left out of whose topic there is a newer one.
    private static let deliveriesMax = 256
    /// The timer's step. Each listener has a slot, and one slot has its turn at each step.
    private static let step = Duration.seconds(1)
    /// So many steps from one comment to the next: less than the 15 s that clients may rely on.
    private static let slotCount = 12
    /// Who takes nothing for so long is cut.
    private static let stallMax = Duration.seconds(30)
    private static let heartbeat = HTTPPiece(ServerSentEvent.heartbeat)

    /// An event that the first `left` listeners of its topic are still to be told of.
    private struct Delivery {
        let event: BroadcastEvent
        let topic: BroadcastTopic
        var left: Int
    }

    /// Streams that are open.
    public private(set) var count = 0
    /// Whether there is something to tell.
    public private(set) var isBegun = false
    /// Number of the newest event.
    public private(set) var position: Int64 = 0
    /// What it has done.
    public internal(set) var counters = Counters()
    /// Called when ``begin(_:position:)`` was.
    public var onBegun: @ReactorActor () -> Void = {}
    /// Called when the last stream has ended.
    public var onIdle: @ReactorActor () -> Void = {}

    private(set) var recent: RecentEvents<TopicalEvent>
    private let limit: Int
    private var topics: [String: BroadcastTopic] = [:]
    private let topicsMax: Int
    /// At how many topics some are forgotten: all may have listeners, and then it is not tried for each new one.
    private var topicsRoom: Int
    /// The newest event that was forgotten with its topic: what clients lack that know less is not known.
    private var forgottenThrough: Int64 = 0
    /// Those that listen to every topic.
    private var everyone: [BroadcastListener] = []
    private var deliveries: [Delivery] = []
    private var nextDelivery = 0
    private var isDelivering = false
    private var slots = [[BroadcastListener]](repeating: [], count: slotCount)
    private var currentSlot = 0
    private var heartbeats: Timer?
    private var continuation: Timer?

    /// - Parameter limit: Most streams that are open at a time; one more is refused as overload.
    public convenience init(limit: Int) { self.init(limit: limit, topicsMax: Self.topicsMax) }

    init(limit: Int, topicsMax: Int) {
        self.limit = limit
        self.topicsMax = topicsMax
        topicsRoom = topicsMax
        recent = RecentEvents(after: 0, countMax: Self.recentMax)
        heartbeats = Timer { [unowned self] in keepAlive() }
        continuation = Timer { [unowned self] in deliver() }
    }

    // MARK: What there is to tell

    /// Takes the newest event of every topic; what came before is known by these alone.
    ///
    /// - Parameter position: Nothing up to it is missing among them.
    public func begin(_ events: [BroadcastEvent], position: Int64) {
        // Numbers that go back are those of another series, and nothing that clients have means anything.
        let isOther = position < self.position
        if isOther {
            for topic in topics.values { topic.newest = nil }
            forgottenThrough = 0
        }
        recent = RecentEvents(after: position, countMax: Self.recentMax)
        isBegun = true
        self.position = position
        for event in events { tell(event) }
        if isOther { for listener in slots.joined() { listener.restart() } }
        onBegun()
    }

    /// An event has happened; its number is larger than that of any before.
    public func publish(_ event: BroadcastEvent) {
        guard event.number > position else { return }
        position = event.number
        recent.append(TopicalEvent(event: event, topic: tell(event)))
    }

    /// Forgets what there is to tell: nobody says any more what happens.
    public func forget() {
        isBegun = false
        (position, forgottenThrough) = (0, 0)
        recent = RecentEvents(after: 0, countMax: Self.recentMax)
        topics = topics.filter { !$0.value.listeners.isEmpty }
        for topic in topics.values { topic.newest = nil }
    }

    @discardableResult
    private func tell(_ event: BroadcastEvent) -> BroadcastTopic {
        let topic = topics[event.topic] ?? makeTopic(event.topic)
        guard topic.newest.map({ $0.number < event.number }) ?? true else { return topic }
        topic.newest = event
        for listener in everyone { listener.happened(event) }
        guard !topic.listeners.isEmpty else { return topic }
        let isIdle = deliveries.isEmpty
        deliveries.append(Delivery(event: event, topic: topic, left: topic.listeners.count))
        if isIdle { deliver() }
        return topic
    }

    private func makeTopic(_ name: String) -> BroadcastTopic {
        if topics.count >= topicsRoom { forgetTopics() }
        let topic = BroadcastTopic(name)
        topics[name] = topic
        return topic
    }

    /// Makes room for topics: of those that nobody listens to, the ones go of which there was no news for longest.
    private func forgetTopics() {
        let silent = topics.values.filter(\.listeners.isEmpty).sorted { $0.number < $1.number }
        for topic in silent.prefix(max(1, topicsMax / 4)) { forget(topic) }
        topicsRoom = max(topicsMax, topics.count + max(1, topicsMax / 4))
        // Who listens to everything, and is so far behind.
        for listener in everyone where listener.position < forgottenThrough { listener.restart() }
    }

    private func forget(_ topic: BroadcastTopic) {
        topics[topic.name] = nil
        forgottenThrough = max(forgottenThrough, topic.number)
    }

    /// Sends what waits, a turn's worth at a time. From the last listener to the first: then it does no harm that the
    /// last takes the place of one that leaves.
    private func deliver() {
        guard !isDelivering else { return }
        isDelivering = true
        defer { isDelivering = false }
        var budget = Self.sendsPerTurn
        while nextDelivery < deliveries.count {
            let (event, topic) = (deliveries[nextDelivery].event, deliveries[nextDelivery].topic)
            let isSuperseded = topic.newest.map { $0.number > event.number } ?? true
            var left = min(deliveries[nextDelivery].left, topic.listeners.count)
            if isSuperseded, deliveries.count - nextDelivery > Self.deliveriesMax { left = 0 }
            while left > 0, budget > 0 {
                left -= 1
                budget -= 1
                topic.listeners[left].happened(event)
            }
            deliveries[nextDelivery].left = left
            guard left == 0 else { break }
            nextDelivery += 1
        }
        guard nextDelivery < deliveries.count else {
            deliveries.removeAll(keepingCapacity: deliveries.count <= Self.deliveriesMax)
            nextDelivery = 0
            return
        }
        if nextDelivery >= Self.deliveriesMax {
            deliveries.removeFirst(nextDelivery)
            nextDelivery = 0
        }
        continuation?.schedule(after: .zero)
    }

    // MARK: Who listens

    /// Answers a request with a stream.
    ///
    /// - Parameters:
    ///   - names: Of the topics; nil for all of them, of which an event `current` says when the newest are told.
    ///   - number: Of the last event that the client has; nil if it has none.
    public func open(_ context: RequestContext, topics names: [String]?, after number: Int64?) throws(APIError) {
        guard count < limit else { throw .overloaded }
        guard context.head.method != .head else {
            return context.respond(HTTPResponse(.ok, fields: EventStream.fields, body: .omitted(length: nil)))
        }
        let listener = BroadcastListener(of: self, hearsAll: names == nil)
        guard let push = context.beginPush(fields: EventStream.fields, source: listener) else { return }
        for name in names ?? [] {
            let topic = topics[name] ?? makeTopic(name)
            topic.add(listener)
        }
        if names == nil { everyone.append(listener) }
        let slot = slots.indices.min { slots[$0].count < slots[$1].count } ?? 0
        listener.slot = (slot, slots[slot].count)
        slots[slot].append(listener)
        count += 1
        if count == 1 { heartbeats?.scheduleRepeating(every: Self.step) }
        listener.begin(push, after: number)
    }

    /// Whether a client that has everything up to a number can be told of all that came after it.
    func canResume(after number: Int64, _ listener: BroadcastListener) -> Bool {
        guard number <= position else { return false }
        guard number < recent.floor else { return true }
        return number >= forgottenThrough && newest(after: number, for: listener).isEmpty
    }

    /// The newest events after a number of a listener's topics, in order.
    func newest(after number: Int64, for listener: BroadcastListener) -> [BroadcastEvent] {
        var events: [BroadcastEvent] = []
        let known = listener.hearsAll ? Array(topics.values) : listener.subscriptions.map { $0.topic }
        for topic in known {
            if let event = topic.newest, event.number > number { events.append(event) }
        }
        return events.count > 1 ? events.sorted { $0.number < $1.number } : events
    }

    func ended(_ listener: BroadcastListener) {
        for subscription in listener.subscriptions {
            let topic = subscription.topic
            topic.remove(at: subscription.index)
            if topic.listeners.isEmpty, topic.newest == nil || topics.count > topicsMax { forget(topic) }
        }
        listener.subscriptions = []
        everyone.removeAll { $0 === listener }
        let (slot, index) = listener.slot
        let last = slots[slot].removeLast()
        if last !== listener {
            slots[slot][index] = last
            last.slot = (slot, index)
        }
        count -= 1
        guard count == 0 else { return }
        heartbeats?.cancel()
        onIdle()
    }

    /// Ends all streams, so that the clients ask again.
    public func endAll() {
        for listener in slots.flatMap(\.self) { listener.end() }
    }

    private func keepAlive() {
        currentSlot = (currentSlot + 1) % Self.slotCount
        for listener in slots[currentSlot] where !listener.keepAlive(Self.heartbeat, patience: Self.stallMax) {
            counters.cut += 1
        }
    }
}

/// An event with its topic.
struct TopicalEvent: Numbered {
    let event: BroadcastEvent
    let topic: BroadcastTopic

    var number: Int64 { event.number }
}
