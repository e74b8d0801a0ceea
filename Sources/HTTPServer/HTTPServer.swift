internal import DequeModule
internal import HTTPWire
public import Reactor
public import TLS

/// Why a server could not listen.
public enum ListenError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The host has no address.
    case resolution(ResolutionError)
    /// A system call failed; see ``SystemError/isAddressInUse``.
    case system(SystemError)
    /// Another process listens on the Unix-domain socket.
    case occupied(path: String)
    /// A file that is no socket is in the way.
    case notASocket(path: String)

    /// For the person who starts the service.
    public var description: String {
        switch self {
        case .resolution(let error): error.description
        case .system(let error): error.description
        case .occupied(let path): "\(path): another process listens on this socket"
        case .notASocket(let path): "\(path): exists and is not a socket"
        }
    }
}

/// An HTTP/1.1 server on the event loop.
///
/// ```swift
/// let server = HTTPServer(handler: hello)
/// let endpoint = try await server.listen(on: Endpoint(parsing: "127.0.0.1:0"))
/// …
/// await server.drain(within: .seconds(10))
/// ```
@ReactorActor
public final class HTTPServer {
    /// Connections accepted in one turn, so that a flood of them leaves time for those that are open.
    private static let acceptsPerTurn = 64

    /// How long a server that drains still accepts; a handshake on a busy machine takes less.
    private static let lastAcceptTime = Duration.milliseconds(50)

    /// How long accepting pauses when there is no place, or no descriptor, unless a connection closes before.
    private static let shortagePause = Duration.milliseconds(100)

    /// The limits.
    public let configuration: HTTPServerConfiguration
    let readBuffer = ReadBuffer()
    private let handler: any HTTPHandler

    private var listeners: [Listener] = []
    private var connections: [ObjectIdentifier: HTTPConnection] = [:]
    /// Answers that go on without a connection.
    private var pushes: Set<HTTPPush> = []
    /// How many of the connections are beyond the limit.
    private var refusedConnections = 0
    private var idle: IdleQueue
    private var handshakes = Handshakes()
    private var isAcceptPaused = false
    private var resumeTimer: Timer?

    private var marked: Deque<HTTPConnection> = []
    private var endOfTurn: EndOfTurn?
    private var dateField = DateField()
    private var admission: AdmissionControl

    /// The memory that waits for clients, over all connections: for them to read, or to send the rest of a request.
    public internal(set) var heldBytes = 0

    /// Whether ``drain(within:)`` was called.
    public private(set) var isDraining = false
    private var drained: Promise<Void, Never>?

    /// What the server has done.
    public private(set) var counters = HTTPServerCounters()

    /// A server that does not listen yet.
    ///
    /// - Parameter handler: Kept until the last connection is closed.
    public init(configuration: HTTPServerConfiguration = HTTPServerConfiguration(), handler: any HTTPHandler) {
        self.configuration = configuration
        self.handler = handler
        idle = IdleQueue(shortestIdleTime: configuration.shortestIdleTime)
        admission = AdmissionControl(ceiling: configuration.requestLimit, targetWait: configuration.targetWait)
        endOfTurn = EndOfTurn(isEarly: true) { [unowned self] in turnEnds() }
        resumeTimer = Timer { [unowned self] in resumeAccepting() }
    }

    /// The certificates of secure listeners. New ones count for connections that come from then on.
    public var tls: TLSServerContext?

    // MARK: Listening

    /// Starts to accept connections; may be called for several endpoints.
    ///
    /// A Unix-domain socket that a killed process left behind is replaced.
    ///
    /// - Parameter isSecure: Whether connections are secure, with the certificates of ``tls``, which must be there.
    /// - Returns: The endpoint with the port that the system chose.
    public func listen(on endpoint: Endpoint, isSecure: Bool = false) async throws(ListenError) -> Endpoint {
        precondition(tls != nil || !isSecure, "a secure listener needs certificates")
        let addresses: [SocketAddress]
        do { addresses = try await Resolver.resolve(endpoint) } catch { throw .resolution(error) }
        let listener = try Listener(on: addresses[0], configuration: configuration, isSecure: isSecure) {
            [unowned self] listener in
            acceptConnections(from: listener, atMost: Self.acceptsPerTurn)
        }
        listeners.append(listener)
        do { return try listener.address.endpoint } catch { throw .system(error) }
    }

    private func acceptConnections(from listener: Listener, atMost limit: Int) {
        for _ in 0..<limit {
            guard !isFull || idle.first(of: connections) != nil else { return pauseAccepting() }
            do {
                guard let descriptor = try listener.accept() else { return }
                open(ByteStream(descriptor, session: listener.isSecure ? tls?.makeSession() : nil))
            } catch {
                // Out of descriptors or memory. The connection stays in the queue, so trying again at once would spin.
                counters.descriptorShortages += 1
                pauseAccepting()
                displaceOne()
                return
            }
        }
    }

    private var servedConnections: Int { connections.count + pushes.count - refusedConnections }

    /// Whether there is neither a place for a newcomer nor one to be told so.
    private var isFull: Bool {
        servedConnections >= configuration.connectionLimit
            && refusedConnections >= configuration.refusedConnectionLimit
    }

    private func open(_ stream: consuming ByteStream) {
        while servedConnections >= configuration.connectionLimit, displaceOne() {}
        let isRefused = servedConnections >= configuration.connectionLimit
        let connection = HTTPConnection(stream, server: self, isRefused: isRefused)
        connections[ObjectIdentifier(connection)] = connection
        if isRefused { refusedConnections += 1 }
        counters.connections += 1
        counters.openConnections += 1
        guard connection.isHandshaking else { return }
        if let oldest = handshakes.began(connection, atMost: configuration.handshakeLimit) {
            handshakeFailed()
            oldest.close()
        }
    }

    /// Makes room at the cost of the connection that has waited longest for a request.
    ///
    /// - Returns: Whether there was one; it may have found a request at the last moment, and then stays.
    @discardableResult
    private func displaceOne() -> Bool {
        guard let connection = idle.first(of: connections) else { return false }
        if connection.giveWay() { counters.displacedConnections += 1 }
        return true
    }

    private func pauseAccepting() {
        isAcceptPaused = true
        for listener in listeners { listener.pause() }
        resumeTimer?.schedule(after: Self.shortagePause)
    }

    private func resumeAccepting() {
        guard isAcceptPaused else { return }
        isAcceptPaused = false
        for listener in listeners { listener.resume() }
    }

    // MARK: Ending

    /// Stops without losing a request: takes the connections that wait in the queue, stops accepting, tells each client
    /// with its next answer that the connection closes, and gives idle connections a moment for a last request.
    ///
    /// - Parameter limit: How long that may take; connections that are left then are cut.
    public func drain(within limit: Duration) async {
        guard !isDraining else {
            if let drained { _ = await drained.result }
            return
        }
        isDraining = true
        for connection in connections.values { connection.drainBegan() }
        for push in Array(pushes) { push.finish() }
        // A client whose connection the kernel is completing at this moment believes that it is connected: closing the
        // listener under it would be a reset. So the listeners go on for a moment.
        try? await Reactor.sleep(for: min(limit, Self.lastAcceptTime))
        for listener in listeners {
            listener.refuseNewcomers()
            acceptConnections(from: listener, atMost: .max)
        }
        stopListening()
        guard !isEmpty else { return }

        let drained = Promise<Void, Never>()
        self.drained = drained
        let timer = Timer { [unowned self] in cutConnections() }
        timer.schedule(after: limit)
        _ = await drained.result
        timer.cancel()
    }

    /// Stops at once; every connection is cut.
    public func close() {
        stopListening()
        cutConnections()
    }

    private func stopListening() {
        for listener in listeners { listener.removeFile() }
        listeners = []
        isAcceptPaused = false
        resumeTimer?.cancel()
    }

    private func cutConnections() {
        let all = Array(connections.values)
        for connection in all { connection.close() }
        for push in Array(pushes) { push.end() }
    }

    // MARK: The connections' side

    /// How many requests may be unanswered now; see ``HTTPServerConfiguration/targetWait``.
    public var requestLimit: Int { admission.limit }

    /// Whether there is room for one more request, or it needs none.
    ///
    /// - Parameter isRefused: Whether its connection is one too many.
    func admits(_ exchange: HTTPExchange, isRefused: Bool) -> Bool {
        guard !isRefused, counters.openRequests <= configuration.requestLimit, admission.admit() else {
            return handler.answersAtOnce(exchange.request.head)
        }
        exchange.admittedAt = Reactor.now
        return true
    }

    /// An answer was given, or begun.
    func answered(_ exchange: HTTPExchange) {
        if exchange.isOpenEnded {
            counters.openRequests -= 1
            counters.openStreams += 1
        }
        guard let admittedAt = exchange.admittedAt else { return }
        exchange.admittedAt = nil
        admission.answered(after: Reactor.now - admittedAt, now: Reactor.now)
    }

    /// The connection closed before the answer.
    func abandoned(_ exchange: HTTPExchange) {
        if !exchange.isOpenEnded { counters.abandonedRequests += 1 }
        finished(exchange)
        isWaitedForElsewhere(exchange)
    }

    /// How long the answer takes is another's matter, or nobody's.
    func isWaitedForElsewhere(_ exchange: HTTPExchange) {
        guard exchange.admittedAt != nil else { return }
        exchange.admittedAt = nil
        admission.abandoned()
    }

    /// The `Date` field line of this second.
    var dateLine: [UInt8] { dateField.line(unixSeconds: Reactor.unixSeconds) }

    func handle(_ exchange: HTTPExchange) {
        counters.requests += 1
        handler.handle(exchange.request, exchange)
    }

    func streamsBody(of head: RequestHead) -> Bool { handler.streamsBody(of: head) }

    /// - Parameter fields: Those of the request, where its head came in full.
    func refusal(_ reason: HTTPRefusal, _ fields: HTTPFields?) -> HTTPResponse {
        switch reason {
        case .overloaded: counters.overloads += 1
        case .malformed(let error):
            switch error.status {
            case .contentTooLarge, .uriTooLong, .requestHeaderFieldsTooLarge: counters.tooLarge += 1
            default: counters.malformed += 1
            }
        case .headTimedOut, .bodyTimedOut: counters.tooSlow += 1
        case .unanswered: counters.unanswered += 1
        }
        return handler.response(to: reason, fields: fields)
    }

    /// A client did not come to an agreement with us, or had no time left for it.
    func handshakeFailed() { counters.failedHandshakes += 1 }

    func opened(_ exchange: HTTPExchange) { counters.openRequests += 1 }

    /// Nothing more is to be written for a request.
    func finished(_ exchange: HTTPExchange) {
        if exchange.isOpenEnded { counters.openStreams -= 1 } else { counters.openRequests -= 1 }
    }

    func closed(_ connection: HTTPConnection) {
        connections[ObjectIdentifier(connection)] = nil
        if connection.machine.isRefused { refusedConnections -= 1 }
        counters.openConnections -= 1
        placeAppeared()
    }

    private var isEmpty: Bool { connections.isEmpty && pushes.isEmpty }

    private func placeAppeared() {
        if !isDraining { resumeAccepting() }
        if connections.isEmpty { handshakes = Handshakes() }
        if isEmpty { drained?.succeed(()) }
    }

    // MARK: Pushed answers

    /// An answer takes the place of its connection.
    func pushBegan(_ push: HTTPPush) {
        pushes.insert(push)
        counters.openConnections += 1
    }

    func pushEnded(_ push: HTTPPush) {
        pushes.remove(push)
        counters.openConnections -= 1
        counters.openStreams -= 1
        placeAppeared()
    }

    /// Has `connection.turnEnds()` called at the end of this turn at the latest.
    func mark(_ connection: HTTPConnection) {
        marked.append(connection)
        endOfTurn?.schedule()
    }

    private func turnEnds() {
        for _ in 0..<marked.count { marked.removeFirst().turnEnds() }
        if heldBytes > configuration.heldLimitBytes { shed() }
    }

    // MARK: Memory

    /// A connection keeps at least so much of its output, however little is left for all.
    nonisolated static let leastOutputLimitBytes = 16 * 1024

    /// Bytes of output at which a connection waits: fewer when half of what all may hold is in use, so that many slow
    /// readers of long answers are slowed down and not cut.
    var outputLimitBytes: Int {
        let isTight = heldBytes > configuration.heldLimitBytes / 2
        return isTight
            ? min(Self.leastOutputLimitBytes, configuration.outputLimitBytes) : configuration.outputLimitBytes
    }

    /// Cuts connections until an eighth is free, so that it is not done at each turn. Those that hold most for longest
    /// come first: an answer that is just being read may be large.
    private func shed() {
        let target = configuration.heldLimitBytes - configuration.heldLimitBytes / 8
        for connection in connections.values.sorted(by: { $0.burden > $1.burden }) {
            guard heldBytes > target else { return }
            counters.shedConnections += 1
            connection.close()
        }
    }
}
