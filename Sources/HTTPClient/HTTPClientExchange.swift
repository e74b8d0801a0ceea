internal import HTTPWire
public import Reactor

/// One request on its way, and what has come back.
@ReactorActor
public final class HTTPClientExchange {
    enum Place {
        /// Not sent, or about to be told of its failure.
        case nowhere
        case waiting(RequestID)
        case on(ClientConnection)
        case ended
    }

    let request: HTTPClientRequest
    let deadline: ContinuousClock.Instant
    let isProbe: Bool
    var place = Place.nowhere
    /// Whether it was sent once more already; once is all.
    var isRetried = false
    /// When it was given to a connection.
    var sentAt: ContinuousClock.Instant?

    private var head: ResponseHead?
    private var body: [UInt8] = []
    /// Held until the end, so that a client that nobody else keeps still finishes what it began.
    private var client: HTTPClient?
    private var done: ((Result<HTTPClientResponse, HTTPClientError>) -> Void)?

    init(
        _ request: HTTPClientRequest,
        deadline: ContinuousClock.Instant,
        isProbe: Bool,
        client: HTTPClient,
        done: @escaping @ReactorActor (Result<HTTPClientResponse, HTTPClientError>) -> Void
    ) {
        self.request = request
        self.deadline = deadline
        self.isProbe = isProbe
        self.client = client
        self.done = done
    }

    /// Ends it, because nobody wants the response any more; without effect once it has ended.
    ///
    /// The callback is not called. The connection is closed, because that is the only way to stop a response; what the
    /// upstream does with a request that it has received is up to it.
    public func cancel() {
        guard let client = client.take() else { return }
        done = nil
        client.cancelled(self)
        place = .ended
    }

    // MARK: From the connection and the client

    /// A request that is sent again has no part of a response yet.
    func headReceived(_ head: ResponseHead) {
        self.head = head
    }

    func bodyReceived(_ bytes: Span<UInt8>) {
        body.append(copying: bytes)
    }

    /// The response is complete.
    func succeed() {
        guard let head = head.take() else { preconditionFailure("a response has a head") }
        end(.success(HTTPClientResponse(head: head, body: body)))
    }

    func fail(_ error: HTTPClientError) { end(.failure(error)) }

    private func end(_ result: Result<HTTPClientResponse, HTTPClientError>) {
        place = .ended
        client = nil
        done.take()?(result)
    }
}
