internal import HTTPServer
internal import Reactor

/// What clients may want news of.
@ReactorActor
final class BroadcastTopic {
    let name: String
    /// nil if there is none yet.
    var newest: BroadcastEvent?
    private(set) var listeners: [BroadcastListener] = []

    init(_ name: String) { self.name = name }

    /// Of its newest event; less than that of any if there is none.
    var number: Int64 { newest?.number ?? .min }

    func add(_ listener: BroadcastListener) {
        listener.subscriptions.append(BroadcastListener.Subscription(topic: self, index: listeners.count))
        listeners.append(listener)
    }

    /// The last takes the place of the one that leaves.
    func remove(at index: Int) {
        let last = listeners.removeLast()
        guard index < listeners.count else { return }
        listeners[index] = last
        last.moved(to: index, in: self)
    }
}

/// One client of a broadcast: a socket, and how far it is.
@ReactorActor
final class BroadcastListener: HTTPPushSource {
    struct Subscription {
        let topic: BroadcastTopic
        /// Its place among the listeners of the topic.
        var index: Int
    }

    /// Events that are looked at or gathered at once.
    private static let partMax = 64
    /// When a client returns whose stream has ended. Different for each, so that the clients of a process that restarts
    /// do not return in the same moment.
    private static let retryMilliseconds = 1000...5000
    private static let reset = ServerSentEvent("reset", data: "{}".utf8).bytes

    let hearsAll: Bool
    var subscriptions: [Subscription] = []
    var slot = (0, 0)

    private unowned let broadcast: Broadcast
    private var push: HTTPPush?
    /// Number of the last event that the client has been told, or is being told.
    private(set) var position: Int64 = .min
    /// What comes before anything else.
    private var greeting: HTTPPiece?
    /// Whether it is told of every event, not only of the newest: it has come back.
    private var isReplaying = false
    /// Whether it is to be told that it knows the newest of all.
    private var owesMark = false
    private var backlog: ArraySlice<BroadcastEvent> = []

    init(of broadcast: Broadcast, hearsAll: Bool) {
        self.broadcast = broadcast
        self.hearsAll = hearsAll
    }

    func begin(_ push: HTTPPush, after number: Int64?) {
        self.push = push
        owesMark = hearsAll
        var bytes = ServerSentEvent.beginning(retryMilliseconds: .random(in: Self.retryMilliseconds))
        if let number {
            if broadcast.canResume(after: number, self) {
                position = number
                isReplaying = true
            } else {
                bytes += Self.reset
            }
        }
        greeting = HTTPPiece(bytes)
        tell()
    }

    /// Nothing that the client has counts any more.
    func restart() {
        position = .min
        (isReplaying, owesMark, backlog) = (false, hearsAll, [])
        greeting = HTTPPiece(Self.reset)
        tell()
    }

    func moved(to index: Int, in topic: BroadcastTopic) {
        guard let place = subscriptions.firstIndex(where: { $0.topic === topic }) else { return }
        subscriptions[place].index = index
    }

    // MARK: Telling

    /// Something has happened to one of its topics.
    func happened(_ event: BroadcastEvent) {
        guard event.number > position, let push else { return }
        guard push.isReady, backlog.isEmpty else {
            broadcast.counters.late += 1
            return
        }
        position = event.number
        broadcast.counters.sent += 1
        push.send(event.piece)
    }

    func pushBecameReady() { tell() }

    /// Tells all that the client does not know, for as long as its socket takes it.
    private func tell() {
        while let push, push.isReady {
            if let piece = greeting.take() {
                push.send(piece)
                continue
            }
            gather()
            guard !backlog.isEmpty else {
                guard !isReplaying else { continue }
                guard owesMark else { return }
                owesMark = false
                push.send(HTTPPiece(ServerSentEvent("current", id: "\(broadcast.position)", data: "{}".utf8).bytes))
                continue
            }
            let part = backlog.prefix(Self.partMax)
            let count = push.send(part.map(\.piece))
            guard count > 0 else { return }
            position = part[part.startIndex + count - 1].number
            backlog = backlog.dropFirst(count)
            broadcast.counters.sent += count
        }
    }

    /// Finds what to tell next.
    private func gather() {
        if isReplaying {
            guard backlog.isEmpty else { return }
            guard let part = broadcast.recent.elements(after: position, atMost: Self.partMax), let last = part.last
            else {
                isReplaying = false
                return gather()
            }
            let own = part.filter { entry in hearsAll || subscriptions.contains { $0.topic === entry.topic } }
            if own.isEmpty { position = last.number } else { backlog = own.map(\.event)[...] }
        } else if backlog.isEmpty || !hearsAll {
            // Anew each time: while the client was not ready there may have been a newer one.
            backlog = broadcast.newest(after: position, for: self)[...]
        }
    }

    /// - Returns: Whether the client has not been cut.
    func keepAlive(_ heartbeat: HTTPPiece, patience: Duration) -> Bool {
        guard let push else { return true }
        if push.isReady {
            push.send(heartbeat)
        } else if let since = push.blockedSince, Reactor.now - since > patience {
            push.end()
            return false
        }
        return true
    }

    func end() { push?.finish() }

    func pushEnded() {
        push = nil
        backlog = []
        broadcast.ended(self)
    }
}
