internal import HTTPBodies
internal import HTTPWire

// What those do who read what comes over the connection, decides how much of it is read.

extension HTTPConnection: HTTPBodySource {
    /// A body that the client is about to send.
    func body(_ framing: BodyFraming) -> HTTPBody {
        let length: Int? = if case .length(let count) = framing { count } else { nil }
        return HTTPBody(declaredLength: length, windowBytes: configuration.bodyWindowBytes, source: self)
    }

    func bodyIsAwaited(_ body: HTTPBody) {
        guard let receiving, receiving.request.body === body, receiving.request.head.expectsContinue else { return }
        sendContinue(receiving)
    }

    func bodyWasTaken(_: HTTPBody) { mark() }

    /// What comes of it is dropped.
    func bodyIsUnwanted(_: HTTPBody) { mark() }
}
