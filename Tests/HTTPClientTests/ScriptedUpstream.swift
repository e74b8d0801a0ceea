import Glibc
import Reactor
import TestSupport
import Testing

/// A server that does exactly what a test says, byte by byte, also what no decent server does.
@ReactorActor
final class ScriptedUpstream {
    let endpoint: Endpoint
    /// Connections accepted so far, in order; also those that have ended.
    private(set) var peers: [Peer] = []
    /// Every request received so far, in order of arrival.
    private(set) var requests: [String] = []

    /// Whether new connections are read from.
    var isReading = true

    private let onRequest: (Peer, String) -> Void
    private var listener: FileDescriptor?
    private var watcher: IOWatcher?

    /// - Parameter onRequest: Called with each complete request, head and body.
    init(at address: SocketAddress, onRequest: @escaping @ReactorActor (Peer, String) -> Void) throws {
        self.onRequest = onRequest
        let listener = try Sockets.listen(on: address)
        endpoint = try Sockets.localAddress(listener.number).endpoint
        let number = listener.number
        self.listener = consume listener
        watcher = IOWatcher(descriptor: number, for: .read) { [unowned self] _ in accept() }
    }

    /// Answers every request in the same way, on a port of the loopback.
    convenience init(answering response: String) throws {
        try self.init(at: .loopback) { peer, _ in peer.send(response) }
    }

    private func accept() {
        guard let number = listener?.number else { return }
        while let descriptor = try? Sockets.accept(number) {
            peers.append(
                Peer(descriptor) { [unowned self] peer, request in
                    requests.append(request)
                    onRequest(peer, request)
                }
            )
            peers[peers.count - 1].isReading = isReading
        }
    }

    /// Stops listening, and closes the connections.
    func stop() {
        watcher = nil
        listener = nil
        for peer in peers { peer.close() }
        if case .unix(let path) = endpoint { unsafe unlink(path) }
    }
}

/// The server's end of a connection.
@ReactorActor
final class Peer {
    /// Whether the client has closed its end.
    private(set) var isEnded = false
    private let onRequest: (Peer, String) -> Void
    private var received: [UInt8] = []
    /// A slice, so that taking bytes off its start does not move the others.
    private var unsent: ArraySlice<UInt8> = []
    private var descriptor: FileDescriptor?
    private var watcher: IOWatcher?

    init(_ descriptor: consuming FileDescriptor, onRequest: @escaping @ReactorActor (Peer, String) -> Void) {
        self.onRequest = onRequest
        let number = descriptor.number
        self.descriptor = consume descriptor
        watcher = IOWatcher(descriptor: number, for: .read) { [unowned self] readiness in
            if readiness.contains(.write) { flush() }
            if readiness.contains(.read) { read() }
        }
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) {
        unsent += bytes
        flush()
    }

    /// Sends in pieces, a turn of the loop apart, so that the client reads each by itself.
    func send(_ text: String, cutEvery size: Int) {
        Reactor.spawn { [self] in
            for start in stride(from: 0, to: text.utf8.count, by: size) {
                send(Array(text.utf8.dropFirst(start).prefix(size)))
                await Reactor.yield()
            }
        }
    }

    var hasUnsentBytes: Bool { !unsent.isEmpty }

    /// If false, what the client sends stays in the kernel.
    var isReading = true {
        didSet { watch() }
    }

    private func watch() {
        let interest: Readiness = [isReading ? .read : [], unsent.isEmpty ? [] : .write]
        if interest.isEmpty { watcher?.stop() } else { watcher?.watch(for: interest) }
    }

    func close() {
        watcher = nil
        descriptor = nil
    }

    private func flush() {
        while !unsent.isEmpty, let number = descriptor?.number {
            switch unsafe unsent.withUnsafeBytes({ unsafe Sockets.write(number, $0) }) {
            case .bytes(let count): unsent.removeFirst(count)
            case .wouldBlock: return watch()
            case .endOfStream, .failed: unsent = []
            }
        }
        watch()
    }

    private func read() {
        guard let number = descriptor?.number else { return }
        var block = [UInt8](repeating: 0, count: 64 * 1024)
        switch unsafe block.withUnsafeMutableBytes({ unsafe Sockets.read(number, into: $0) }) {
        case .bytes(let count):
            received += block[..<count]
            while let request = nextRequest() { onRequest(self, request) }
        case .wouldBlock: break
        case .endOfStream, .failed:
            isEnded = true
            close()
        }
    }

    /// Takes one request off what was received, once it is complete.
    private func nextRequest() -> String? {
        let mark = Array("\r\n\r\n".utf8)
        guard received.count >= mark.count else { return nil }
        let last = received.count - mark.count
        guard let end = (0...last).first(where: { received[$0..<$0 + 4].elementsEqual(mark) }) else { return nil }
        let head = String(decoding: received[..<end], as: UTF8.self)
        let lengthLine = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
        let bodyBytes = lengthLine.flatMap { Int($0.dropFirst("Content-Length: ".count)) } ?? 0
        let count = end + mark.count + bodyBytes
        guard received.count >= count else { return nil }
        defer { received.removeFirst(count) }
        return String(decoding: received[..<count], as: UTF8.self)
    }
}

extension SocketAddress {
    /// A port of the loopback that the system chooses.
    static let loopback = SocketAddress.ipv4([127, 0, 0, 1], port: 0)
}

/// Unix-domain paths that nobody else uses.
@ReactorActor
enum UniquePath {
    private static var count = 0

    static func next() -> String {
        count += 1
        return "/tmp/httpclient-\(getpid())-\(count).sock"
    }
}

/// How many sockets of this process are connected to `address` at their other end.
@ReactorActor
func openSockets(to address: SocketAddress) -> Int {
    (0..<4096).count { (try? Sockets.peerAddress(CInt($0))) == address }
}
