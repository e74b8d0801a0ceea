internal import Reactor
internal import TLS

/// The handshake of a connection that has just been made.
///
/// It is complete before a request is given to the connection, so that one which was not sent can be sent elsewhere.
@ReactorActor
final class Handshake {
    /// What an upstream says before it is asked would be unexpected, and is not kept.
    private static var received = [UInt8](repeating: 0, count: ByteStream.readBytes)

    private var stream: ByteStream?
    private var watcher: IOWatcher?
    private var onEnd: ((TLSError?) -> Void)?

    init(_ stream: consuming ByteStream) { self.stream = consume stream }

    /// - Parameter onEnd: Called once, in a later turn, with what went wrong, if something did.
    func start(onEnd: @escaping @ReactorActor (TLSError?) -> Void) {
        self.onEnd = onEnd
        guard let number = stream?.number else { return }
        stream?.start()
        watcher = IOWatcher(descriptor: number, for: interest) { [unowned self] in ready($0) }
    }

    /// The stream, once the handshake is complete.
    func takeStream() -> ByteStream {
        guard let stream = stream.take() else { preconditionFailure("taken once") }
        return stream
    }

    private var interest: Readiness { stream?.hasUnsent ?? false ? [.read, .write] : .read }

    private func ready(_ readiness: Readiness) {
        stream?.flush()
        if readiness.contains(.read), let failure = read() { return end(failure) }
        if stream?.isEstablished ?? false, !(stream?.hasUnsent ?? false) { return end(nil) }
        watcher?.watch(for: interest)
    }

    private func read() -> TLSError? {
        guard let stream = stream.take() else { return nil }
        let failure = Self.read(stream)
        self.stream = consume stream
        return failure
    }

    private static func read(_ stream: borrowing ByteStream) -> TLSError? {
        switch ClientSocket.receive(stream, into: &received) {
        case .wouldBlock: nil
        case .bytes: .failed("the upstream spoke before it was asked")
        case .endOfStream, .failed: stream.failure ?? .truncated
        }
    }

    private func end(_ failure: TLSError?) {
        watcher = nil
        onEnd.take()?(failure)
    }
}
