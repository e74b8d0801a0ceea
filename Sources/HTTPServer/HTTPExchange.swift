public import HTTPBodies
public import HTTPWire
public import Reactor

/// One request and the place for its answer.
///
/// It is answered once: by ``respond(_:)`` or ``startResponse(_:fields:length:)``. The first answer wins and later
/// ones are ignored, so that a result, a deadline and a cancellation may race for it.
@ReactorActor
public final class HTTPExchange {
    /// The answer on its way to the connection, which takes them in the order of the requests.
    enum Answer {
        case none
        /// There in one piece, for when its turn comes.
        case whole(HTTPResponse)
        /// Handed to the connection in one piece.
        case given
        case streamed(HTTPResponseWriter)
        case pushed(HTTPPush)
    }

    /// The request.
    public let request: HTTPRequest

    /// Called once, when the connection ended before the answer was complete, or the server gave up waiting for it:
    /// whatever was asked for it is asked for nobody.
    ///
    /// A client that has finished sending is gone after ``HTTPServerConfiguration/halfClosedTimeout``. While a client
    /// does not read what was sent before, or has sent more than it may, it is found to be gone only by its reset, or
    /// at the end of a timeout.
    ///
    /// Kept until the answer is complete.
    public var onClientGone: (@ReactorActor () -> Void)?

    /// Adds fields of its own to the head of the answer, whatever the answer is.
    ///
    /// Kept until the answer is complete.
    public var answerFields: (any HTTPAnswerFields)?

    /// Whether ``onClientGone`` was called or would have been.
    public private(set) var isClientGone = false

    /// nil once the answer is complete or the connection closed; that also ends the cycle of references.
    private var connection: HTTPConnection?

    private(set) var answer = Answer.none
    /// Since when the server counts it among those that wait; nil when it does not, or no longer.
    var admittedAt: Instant?
    /// Whether its answer has begun and has no end of its own.
    var isOpenEnded = false
    /// What the client says in another protocol.
    private var tunnel: HTTPBody?

    init(_ head: consuming RequestHead, on connection: HTTPConnection) {
        let framing = head.framing
        request = HTTPRequest(head: head, body: framing.hasBytes ? connection.body(framing) : .empty)
        self.connection = connection
    }

    /// The address that the client connects from; unnamed for a Unix-domain socket, nil once the client is gone.
    public var peerAddress: SocketAddress? { connection?.peerAddress }

    /// The numeric host of that address, found once for a connection; nil for a Unix-domain socket.
    public var peerHost: String? { connection?.peerHost }

    /// Whether the client is connected over TLS; false once it is gone.
    public var isSecure: Bool { connection?.isSecure ?? false }

    /// Answers the request.
    ///
    /// - Returns: false if there is an answer already or the connection is closed; then nothing was done.
    @discardableResult
    public func respond(_ response: consuming HTTPResponse) -> Bool {
        guard isUnanswered, let connection else { return false }
        switch response.body {
        case .stream(let length, let produce):
            run(produce, startResponse(response.status, fields: response.fields, length: length))
        case .openEnded(let produce):
            run(produce, startResponse(response.status, fields: response.fields, length: nil, isOpenEnded: true))
        case .empty, .bytes, .omitted:
            answer = .whole(response)
            connection.answered(self)
        }
        return true
    }

    private func run(
        _ produce: @escaping @ReactorActor (HTTPResponseWriter) async throws -> Void,
        _ writer: HTTPResponseWriter
    ) {
        guard request.head.method != .head else { return writer.finish() }
        Reactor.spawn {
            do {
                try await produce(writer)
                writer.finish()
            } catch {
                writer.abort()
            }
        }
    }

    /// Begins an answer whose body is written piece by piece.
    ///
    /// - Parameters:
    ///   - length: How many bytes will be written; nil sends chunks.
    ///   - isOpenEnded: Whether the answer has no end of its own; see ``HTTPResponse/Body/openEnded(_:)``.
    /// - Returns: The writer; one that is closed already if there is an answer or the connection is closed.
    public func startResponse(
        _ status: HTTPStatus,
        fields: HTTPFields,
        length: Int?,
        isOpenEnded: Bool = false
    ) -> HTTPResponseWriter {
        guard isUnanswered, let connection else { return HTTPResponseWriter.closed }
        let writer = HTTPResponseWriter(HTTPResponse(status, fields: fields), length: length, to: self, on: connection)
        self.isOpenEnded = isOpenEnded
        answer = .streamed(writer)
        connection.answered(self)
        return writer
    }

    /// Begins an answer of 200 that goes on for as long as the client wants, and for which nothing of the connection is
    /// kept: it ends with it.
    ///
    /// - Parameter source: Has something to say; kept until the end.
    /// - Returns: nil if there is an answer or the connection is closed.
    public func startPush(fields: HTTPFields, source: any HTTPPushSource) -> HTTPPush? {
        guard isUnanswered, let connection else { return nil }
        let isChunked = request.head.version == .http11
        let push = HTTPPush(fields, isChunked: isChunked, source: source, on: connection)
        isOpenEnded = true
        answer = .pushed(push)
        connection.answered(self)
        return push
    }

    /// Passes an interim response (1xx) on that another server gave; without effect once there is an answer, and for a
    /// client that does not know them.
    public func sendInterim(_ status: HTTPStatus, fields: HTTPFields) {
        guard isUnanswered else { return }
        connection?.sendInterim(status, fields, for: self)
    }

    /// The request waits for somebody else from now on. How long it does says nothing about this service, so it is no
    /// reason to refuse others.
    public func waitsElsewhere() { connection?.server.isWaitedForElsewhere(self) }

    /// Answers 101: from now on both sides speak another protocol, for as long as both want.
    ///
    /// - Returns: What the client says, to its end, and the writer of what it is told; nil if there is an answer
    ///   already, the connection is closed, or the client did not ask for another protocol.
    public func startTunnel(fields: HTTPFields) -> (input: HTTPBody, output: HTTPResponseWriter)? {
        guard isUnanswered, let connection, request.head.asksForUpgrade else { return nil }
        let output = startResponse(.switchingProtocols, fields: fields, length: nil, isOpenEnded: true)
        guard !output.isClosed else { return nil }
        let input = connection.body(.untilClose)
        tunnel = input
        connection.tunnelBegan(self)
        return (input, output)
    }

    /// Whether no answer was given.
    public var isUnanswered: Bool {
        if case .none = answer { true } else { false }
    }

    // MARK: The connection's side

    /// Takes out an answer that is there in one piece.
    func takeWhole() -> HTTPResponse? {
        guard case .whole = answer else { return nil }
        var taken = Answer.given
        swap(&taken, &answer)
        guard case .whole(let response) = taken else { return nil }
        return response
    }

    /// The memory that waits here for the client: the rest of its request, and an answer whose turn has not come.
    var heldBytes: Int {
        let waitingAnswer =
            switch answer {
            case .none, .given, .pushed: 0
            case .whole(let response): if case .bytes(let bytes) = response.body { bytes.count } else { 0 }
            case .streamed(let writer): writer.heldBytes
            }
        return input.heldBytes + waitingAnswer
    }

    /// Whether the client takes the end of the connection for that of the answer, of which it has some.
    var endsWithConnection: Bool {
        if case .streamed(let writer) = answer { writer.isHeadSent && writer.framing == .untilClose } else { false }
    }

    /// Where what the client says goes.
    var input: HTTPBody { tunnel ?? request.body }

    /// The client has finished sending: that ends what is said in another protocol, and breaks a body off.
    func inputEnded() {
        if let tunnel { tunnel.finish() } else { request.body.fail(.cut) }
    }

    /// Answers in place of the handler: in full, so without what the handler wanted to add.
    @discardableResult
    func refuse(_ response: HTTPResponse) -> Bool {
        guard isUnanswered else { return false }
        answerFields = nil
        return respond(response)
    }

    /// The server drains: who writes without end is asked to end.
    func drainBegan() {
        switch answer {
        case .streamed(let writer): writer.drainBegan()
        case .pushed(let push): push.end()
        case .none, .whole, .given: break
        }
    }

    /// Its connection is gone.
    func clientLeft() {
        guard !isClientGone else { return }
        isClientGone = true
        let callback = onClientGone
        onClientGone = nil
        callback?()
    }

    /// The answer was handed to the connection in full, or the connection is closed.
    func detach() {
        connection = nil
        onClientGone = nil
        answerFields = nil
        switch answer {
        case .streamed(let writer): writer.detach()
        case .pushed(let push): push.connectionEnded()
        case .none, .whole, .given: break
        }
    }
}
