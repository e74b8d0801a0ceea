internal import HTTPServer
internal import HTTPWire
internal import JSONWire
public import Reactor

/// The streams of server-sent events that one kind of route has open: their number is bounded, and one timer keeps all
/// of them alive.
///
/// ```swift
/// guard let stream = try streams.open(context) else { return }
/// stream.onEnd = { subscribers.remove(stream) }
/// subscribers.insert(stream)
/// …
/// for stream in subscribers { stream.send(event.bytes) }
/// ```
@ReactorActor
public final class EventStreams {
    /// The timer's step. Each stream has a slot, and one slot has its turn at each step, so that ten thousand comments
    /// are not written at once.
    private let step: Duration
    /// So many steps from one comment to the next: less than the 15 s that clients may rely on.
    private static let slotCount = 12

    private let limit: Int
    private var slots = [Set<EventStream>](repeating: [], count: slotCount)
    private var currentSlot = 0
    private var timer: Timer?

    /// Streams that are open.
    public private(set) var count = 0

    /// - Parameter limit: Most streams that are open at a time; one more is refused as overload.
    public convenience init(limit: Int) { self.init(limit: limit, step: .seconds(1)) }

    init(limit: Int, step: Duration) {
        self.limit = limit
        self.step = step
        timer = Timer { [unowned self] in keepAlive() }
    }

    /// Answers a request with a stream that has no event yet.
    ///
    /// - Returns: nil if nobody is there to read it: a request with HEAD, or a client that has left.
    public func open(_ context: RequestContext) throws(APIError) -> EventStream? {
        guard count < limit else { throw .overloaded }
        guard let writer = context.beginStream(fields: EventStream.fields), !writer.isClosed else { return nil }
        guard context.head.method != .head else {
            writer.finish()
            return nil
        }
        // The emptiest slot, so that the slots stay equally full however streams come and go.
        let slot = slots.indices.min { slots[$0].count < slots[$1].count } ?? 0
        let stream = EventStream(writer, slot: slot, of: self)
        slots[slot].insert(stream)
        count += 1
        if count == 1 { timer?.scheduleRepeating(every: step) }
        // Both are forgotten when the answer is complete or the connection closed.
        context.onClientGone = { stream.end() }
        writer.whenDraining { stream.end() }
        return stream
    }

    fileprivate func ended(_ stream: EventStream) {
        guard slots[stream.slot].remove(stream) != nil else { return }
        count -= 1
        if count == 0 { timer?.cancel() }
    }

    private func keepAlive() {
        currentSlot = (currentSlot + 1) % Self.slotCount
        for stream in slots[currentSlot] { stream.keepAlive() }
    }
}

/// One client's stream of server-sent events.
///
/// It ends when the client leaves, when the process drains, when the client is too slow for what is sent, or when
/// ``end()`` is called. A client that still wants events connects again, and says which is the last that it has.
@ReactorActor
public final class EventStream {
    /// When a client returns whose stream has ended. Different for each, so that the clients of a process that restarts
    /// do not return in the same moment.
    private static let retryMilliseconds = 1000...5000

    /// So that nothing between keeps events back, or gives old ones again.
    nonisolated static let fields: HTTPFields = [
        "Content-Type": "text/event-stream", "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no",
    ]

    /// Called once, when the stream has ended; nothing that is sent afterwards reaches anybody.
    public var onEnd: (@ReactorActor () -> Void)?
    /// Whether it has not ended.
    public private(set) var isOpen = true

    fileprivate let slot: Int
    private let writer: HTTPResponseWriter
    private let streams: EventStreams

    fileprivate init(_ writer: HTTPResponseWriter, slot: Int, of streams: EventStreams) {
        self.writer = writer
        self.slot = slot
        self.streams = streams
        let beginning = ServerSentEvent.beginning(retryMilliseconds: .random(in: Self.retryMilliseconds))
        writer.write(beginning.span)
    }

    /// Sends events as they happen, without waiting. A client that has not read what was sent before, up to the bound
    /// of its connection, is too slow: its stream ends, cut off so that it sees that something is missing.
    ///
    /// - Parameter events: The bytes of one or several.
    public func send(_ events: [UInt8]) {
        guard isOpen else { return }
        guard writer.hasRoom else { return cut() }
        writer.write(events.span)
    }

    /// Waits until there is room for more: for who has much to say, and can say it at the client's pace.
    ///
    /// - Returns: Whether the stream is still open.
    public func waitForRoom() async -> Bool {
        // The connection bounds how long a client may take, and ends the stream.
        try? await writer.room()
        return isOpen
    }

    /// Ends the stream, all of it sent.
    public func end() {
        guard close() else { return }
        writer.finish()
    }

    /// Ends the stream so that the client sees that it is not whole.
    public func cut() {
        guard close() else { return }
        writer.abort()
    }

    private func close() -> Bool {
        guard isOpen else { return false }
        isOpen = false
        streams.ended(self)
        let callback = onEnd
        onEnd = nil
        callback?()
        return true
    }

    fileprivate func keepAlive() {
        // What waits to be read will do as a sign of life, and who reads nothing is not to get ever more.
        guard writer.hasRoom else { return }
        let heartbeat = ServerSentEvent.heartbeat
        writer.write(heartbeat.span)
    }
}

extension EventStream: Hashable {
    /// By identity.
    nonisolated public static func == (left: EventStream, right: EventStream) -> Bool { left === right }

    /// By identity.
    nonisolated public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

extension RouteAnswer {
    /// 200 with a stream of server-sent events; see ``EventStreams``.
    ///
    /// - Parameter example: One event.
    public static func events(_ meaning: String, example: ServerSentEvent) -> RouteAnswer {
        .other(
            [RelayedRoute.eventStream],
            """
            \(meaning) A comment comes at least every 15 s. A client that reads too slowly is cut off, and goes on \
            with `Last-Event-ID` like any other.
            """,
            fields: [
                AnswerField(
                    "Cache-Control",
                    "Events are for now.",
                    .word(["no-store, no-transform"]),
                    example: "no-store, no-transform"
                ),
                AnswerField("X-Accel-Buffering", "Asks nginx not to keep events back.", .word(["no"]), example: "no"),
            ],
            example: String(decoding: example.bytes, as: UTF8.self)
        )
    }
}
