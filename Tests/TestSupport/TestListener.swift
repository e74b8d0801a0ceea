public import Reactor

/// A server's end for tests that care about every byte: each connection is a ``TestSocket``, on which the test says
/// what a server says, also what no decent server does.
@ReactorActor
public final class TestListener {
    /// Where it listens.
    public let endpoint: Endpoint
    /// How many connections were accepted.
    public private(set) var acceptedCount = 0

    private var waiting: [TestSocket] = []
    private var listener: FileDescriptor?
    private var watcher: IOWatcher?

    /// Listens on a port of the loopback.
    public init(port: UInt16 = 0) throws {
        let listener = try Sockets.listen(on: .ipv4([127, 0, 0, 1], port: port))
        endpoint = try Sockets.localAddress(listener.number).endpoint
        let number = listener.number
        self.listener = consume listener
        watcher = IOWatcher(descriptor: number, for: .read) { [unowned self] _ in acceptAll() }
    }

    /// `host:port`.
    public var address: String { endpoint.description }

    /// The next connection, once it is there.
    public func accept() async throws -> TestSocket {
        try await eventually("a connection") { !waiting.isEmpty }
        return waiting.removeFirst()
    }

    /// Listens no more; connections stay.
    public func close() {
        watcher = nil
        listener = nil
        waiting = []
    }

    private func acceptAll() {
        guard let number = listener?.number else { return }
        while let socket = try? Sockets.accept(number) {
            waiting.append(TestSocket(accepted: socket))
            acceptedCount += 1
        }
    }
}
