internal import HTTPClient
internal import HTTPWire
internal import Reactor

/// Asks for a kept answer anew while a client has the stale one already; nobody waits for it.
@ReactorActor
final class CacheRefresh: HTTPClientReceiver {
    private let task: CacheTask
    private let idleTimeout: Duration
    private let onEnd: () -> Void
    private var exchange: HTTPClientExchange?

    /// - Parameter onEnd: Called once.
    init(_ task: CacheTask, idleTimeout: Duration, onEnd: @escaping @ReactorActor () -> Void) {
        self.task = task
        self.idleTimeout = idleTimeout
        self.onEnd = onEnd
    }

    func start(_ request: HTTPClientRequest, on client: HTTPClient, deadline: Instant) {
        exchange = client.open(request, deadline: deadline, receiver: self)
    }

    func responseBegan(_ head: ResponseHead) {
        exchange?.moveDeadline(to: Reactor.now + idleTimeout)
        // An error changes nothing: what is kept is served until it is too old.
        guard !CacheRules.isError(head.status) else { return stop() }
        let fields = head.fields.endToEnd(announcesTrailers: false) { FieldNames.isForProxy($0) }
        if case .pass = task.began(head, fields) { stop() }
    }

    func responseBodyReceived(_ bytes: Span<UInt8>) {
        exchange?.moveDeadline(to: Reactor.now + idleTimeout)
        task.append(bytes)
        if task.isDetached { stop() }
    }

    func responseEnded(_ failure: HTTPClientError?) { end(isWhole: failure == nil) }

    func requestBodyWanted() {}

    private func stop() {
        exchange.take()?.cancel()
        end(isWhole: false)
    }

    private func end(isWhole: Bool) {
        exchange = nil
        task.ended(isWhole: isWhole)
        onEnd()
    }
}
