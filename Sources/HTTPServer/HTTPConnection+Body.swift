internal import HTTPBodies
internal import HTTPWire

// What those do who read what comes over the connection, decides how much of it is read.

extension HTTPConnection: HTTPBodySource {
    /// What the client is about to send.
    func body(_ framing: BodyFraming) -> HTTPBody {
        let length: Int? = if case .length(let count) = framing { count } else { nil }
        return HTTPBody(declaredLength: length, windowBytes: server.configuration.bodyWindowBytes, source: self)
    }

    func bodyIsAwaited(_ body: HTTPBody) {
        // Behind the head of its answer an interim one would be taken for a part of that.
        guard let receiver = machine.receiver, receiver.request.body === body, receiver.isUnanswered else { return }
        if machine.wantsBody(receiver) { append { HeadWriter.appendContinue(to: &$0) } }
    }

    func bodyWasTaken(_: HTTPBody) { mark() }

    /// What comes of it is dropped.
    func bodyIsUnwanted(_: HTTPBody) { mark() }
}
