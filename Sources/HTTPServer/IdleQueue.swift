internal import Reactor

/// Connections that wait for a request, those that have waited longest first.
///
/// Nothing is noted while connections come and go: the queue is filled by a look at all of them when a place is needed
/// for a newcomer, and then serves as many newcomers as connections were idle.
@ReactorActor
struct IdleQueue {
    private struct Entry {
        let connection: ObjectIdentifier
        let since: Instant
    }

    /// How long nobody is looked for again after nobody was found: with 10,000 connections a look takes about 1 ms.
    private static let pause = Duration.milliseconds(100)

    private let shortestIdleTime: Duration
    /// The last one has waited longest.
    private var entries: [Entry] = []
    private var nextLook = Instant.origin

    init(shortestIdleTime: Duration) { self.shortestIdleTime = shortestIdleTime }

    /// The connection that has waited longest; nil if none has waited for long enough. It stays in the queue, until it
    /// is busy or closed.
    mutating func first(of connections: [ObjectIdentifier: HTTPConnection]) -> HTTPConnection? {
        if let known = firstKnown(in: connections) { return known }
        guard Reactor.now >= nextLook else { return nil }
        look(at: connections)
        if entries.isEmpty { nextLook = Reactor.now + Self.pause }
        return firstKnown(in: connections)
    }

    private mutating func firstKnown(in connections: [ObjectIdentifier: HTTPConnection]) -> HTTPConnection? {
        while let entry = entries.last {
            // One that was busy meanwhile has a later time, and one that took its place in memory has, too.
            if let connection = connections[entry.connection], connection.idleSince == entry.since { return connection }
            entries.removeLast()
        }
        return nil
    }

    private mutating func look(at connections: [ObjectIdentifier: HTTPConnection]) {
        let latest = Reactor.now - shortestIdleTime
        for (identifier, connection) in connections {
            guard let since = connection.idleSince, since <= latest else { continue }
            entries.append(Entry(connection: identifier, since: since))
        }
        entries.sort { $1.since < $0.since }
    }
}
