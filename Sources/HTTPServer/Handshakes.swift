internal import Reactor

/// Connections that have not completed their TLS handshake, the oldest first.
@ReactorActor
struct Handshakes {
    /// Some of these are complete or closed by now, which is found out when there seem to be too many.
    private var connections: [HTTPConnection] = []

    /// - Returns: The connection that has to give way, if there are too many.
    mutating func began(_ connection: HTTPConnection, atMost limit: Int) -> HTTPConnection? {
        connections.append(connection)
        guard connections.count > limit else { return nil }
        connections.removeAll { !$0.isHandshaking }
        return connections.count > limit ? connections.removeFirst() : nil
    }
}
