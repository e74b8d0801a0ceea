import Glibc
import Reactor

/// A server that answers what the test says, for what a real Redis cannot be made to do at will.
@ReactorActor
final class FakeRedis {
    let endpoint: Endpoint
    private let listener: FileDescriptor
    private let answer: (Int) -> Answer
    private var watcher: IOWatcher?
    private var peers: [CInt: Peer] = [:]
    private(set) var connections = 0

    enum Answer {
        /// These bytes at once, whatever the client sends.
        case says(String)
        /// These bytes as soon as the client has sent something.
        case replies(String)
        case closes
        case saysNothing
    }

    private struct Peer {
        let descriptor: FileDescriptorBox
        let watcher: IOWatcher
    }

    private final class FileDescriptorBox {
        let descriptor: FileDescriptor
        init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
    }

    /// - Parameter answer: What to do with the n-th connection, counted from 1.
    init(_ answer: @escaping @ReactorActor (Int) -> Answer) throws {
        self.answer = answer
        listener = try Sockets.listen(on: SocketAddress(numericHost: "127.0.0.1", port: 0)!)
        endpoint = try Sockets.localAddress(listener.number).endpoint
        watcher = IOWatcher(descriptor: listener.number, for: .read) { [unowned self] _ in accept() }
    }

    private func accept() {
        while let peer = try? Sockets.accept(listener.number) {
            connections += 1
            serve(peer, answer(connections))
        }
    }

    private func serve(_ peer: consuming FileDescriptor, _ answer: Answer) {
        switch answer {
        case .closes: break
        case .saysNothing: keep(peer) {}
        case .says(let text):
            write(text, to: peer.number)
            keep(peer) {}
        case .replies(let text):
            let number = peer.number
            var hasReplied = false
            keep(peer) { [unowned self] in
                if !hasReplied { write(text, to: number) }
                hasReplied = true
            }
        }
    }

    private func keep(_ peer: consuming FileDescriptor, onBytes: @escaping @ReactorActor () -> Void) {
        let number = peer.number
        let watcher = IOWatcher(descriptor: number, for: .read) { [unowned self] _ in
            var sink = [UInt8](repeating: 0, count: 4096)
            let count = unsafe recv(number, &sink, sink.count, CInt(MSG_DONTWAIT))
            if count <= 0 { peers[number] = nil } else { onBytes() }
        }
        peers[number] = Peer(descriptor: FileDescriptorBox(peer), watcher: watcher)
    }

    private func write(_ text: String, to number: CInt) {
        var bytes = Array(text.utf8)
        _ = unsafe send(number, &bytes, bytes.count, CInt(MSG_NOSIGNAL))
    }
}
