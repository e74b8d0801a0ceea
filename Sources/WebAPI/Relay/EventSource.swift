internal import HTTPBodies
internal import HTTPClient
internal import HTTPWire
public import Reactor

/// A stream of events of the next hop that is kept open: when it ends, it is asked for again, from the last event on.
@ReactorActor
public final class EventSource {
    /// Longest silence; the next hop says something every 15 s.
    private static let silenceMax = Duration.seconds(45)
    /// Longest time until the head of the answer.
    private static let patience = Duration.seconds(10)

    /// Called with each event.
    public var onEvent: @ReactorActor (ReceivedEvent) -> Void = { _ in }
    /// Called when the next hop does not take the token that was lent, or any more.
    public var onRefused: @ReactorActor () -> Void = {}
    /// Whether the next hop tells its events now.
    public private(set) var isOpen = false
    /// How often it was asked for.
    public private(set) var connects = 0

    private let relay: Relay
    private let target: String
    private var reader = ServerSentEventReader()
    private var lastID = ""
    private var exchange: HTTPClientExchange?
    private var body: HTTPBody?
    private var isWanted = false
    /// The token of the client that it is asked for, and until when that is good.
    private var lent: (token: [UInt8], expiresAt: Instant)?
    private var backoff = Backoff(first: .milliseconds(100), cap: .seconds(3))
    private var timer: Timer?

    /// - Parameter target: Path and query, of ASCII.
    public init(_ relay: Relay, target: String) {
        self.relay = relay
        self.target = target
        timer = Timer { [unowned self] in connect() }
    }

    /// Asks for the stream, and keeps it open.
    public func start() {
        guard !isWanted else { return }
        isWanted = true
        connect()
    }

    /// Ends it, and forgets how far it was.
    public func stop() {
        isWanted = false
        isOpen = false
        timer?.cancel()
        lastID = ""
        body = nil
        exchange.take()?.cancel()
    }

    /// Lends the token of a client, where clients have them: the next hop wants to know for whom it is asked.
    ///
    /// Of all that were lent the one counts that is good longest, so that there is one while any client may listen.
    public func lend(_ context: RequestContext) {
        guard let caller = context.caller, let token = context.head.fields.valueBytes("authorization"),
            lent.map({ $0.expiresAt < caller.expiresAt }) ?? true
        else { return }
        lent = (Array(token), caller.expiresAt)
        guard isWanted, exchange == nil else { return }
        timer?.cancel()
        connect()
    }

    private func connect() {
        guard isWanted, exchange == nil else { return }
        connects += 1
        reader = ServerSentEventReader()
        var fields: HTTPFields = ["Accept": RelayedRoute.eventStream]
        if !lastID.isEmpty { fields.append("Last-Event-ID", lastID) }
        if let lent { fields.append("Authorization", bytes: lent.token) }
        let request = HTTPClientRequest(.get, target: target, authority: relay.authority, fields: fields)
        exchange = relay.streams.open(
            request,
            deadline: Reactor.now + Self.patience,
            silence: Self.silenceMax
        ) { [self] result in
            switch result {
            case .success(let response): answered(response)
            case .failure: ended()
            }
        }
    }

    /// The stream begins, if it is one.
    private func answered(_ response: HTTPClientResponse) {
        let head = response.head
        guard head.status == .ok, RelayedRoute.isOf(RelayedRoute.eventStream, head) else {
            ended()
            guard head.status == .unauthorized || head.status == .forbidden, lent.take() != nil else { return }
            return onRefused()
        }
        isOpen = true
        let body = response.pulled
        self.body = body
        read(body)
    }

    private func read(_ body: HTTPBody) {
        body.read { [self] result in
            // Otherwise nobody wants this one any more.
            guard self.body === body else { return }
            guard case .success(let piece?) = result, take(piece) else { return ended() }
            read(body)
        }
    }

    /// Tells of events, of which the first and the last may be parts.
    ///
    /// - Returns: Whether it can go on.
    private func take(_ piece: [UInt8]) -> Bool {
        backoff.reset()
        var events: [ReceivedEvent] = []
        var isReadable = true
        do throws(ServerSentEventReader.TooLong) {
            try reader.read(piece.span) { events.append($0) }
        } catch {
            isReadable = false
        }
        for event in events {
            if !event.id.isEmpty { lastID = event.id }
            onEvent(event)
        }
        return isReadable
    }

    /// It has ended, in order or not.
    private func ended() {
        body = nil
        exchange.take()?.cancel()
        isOpen = false
        if isWanted { timer?.schedule(after: backoff.next()) }
    }
}
