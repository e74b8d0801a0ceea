internal import Reactor
internal import TLS

/// One attempt to connect: looks the upstream's name up, tries its addresses one after the other, and shakes hands.
///
/// How long that may take is its owner's matter, who calls ``stop()``.
@ReactorActor
final class Connector {
    /// What became of the attempt.
    enum Outcome: ~Copyable {
        case connected(ByteStream)
        case failed(ConnectFailure)
    }

    private let upstream: Endpoint
    private let tls: TLSClientContext?
    private let lookupLimit: Duration
    private let onEnd: (consuming Outcome) -> Void
    private var untried: ArraySlice<SocketAddress> = []
    private var descriptor: FileDescriptor?
    private var handshake: Handshake?
    private var watcher: IOWatcher?
    private var isStopped = false

    /// - Parameter onEnd: Called once unless stopped, perhaps already inside ``start()``.
    init(
        to upstream: Endpoint,
        tls: TLSClientContext?,
        lookupLimit: Duration,
        onEnd: @escaping @ReactorActor (consuming Outcome) -> Void
    ) {
        self.upstream = upstream
        self.tls = tls
        self.lookupLimit = lookupLimit
        self.onEnd = onEnd
    }

    func start() {
        Reactor.spawn { [self] in
            do throws(ResolutionError) {
                untried = try await Resolver.resolve(upstream, within: lookupLimit)[...]
            } catch {
                return end(.failed(.unresolved(error)))
            }
            tryNextAddress(after: .unresolved(.notFound))
        }
    }

    func stop() {
        isStopped = true
        watcher = nil
        descriptor = nil
        handshake = nil
    }

    private func end(_ outcome: consuming Outcome) {
        guard !isStopped else { return }
        stop()
        onEnd(outcome)
    }

    private func tryNextAddress(after failure: ConnectFailure) {
        var failure = failure
        while !isStopped, let address = untried.popFirst() {
            do {
                let descriptor = try Sockets.connect(to: address)
                // It is writable when the attempt has ended, whichever way.
                watcher = IOWatcher(descriptor: descriptor.number, for: .write) { [unowned self] _ in attemptEnded() }
                self.descriptor = consume descriptor
                return
            } catch {
                failure = .failed(error)
            }
        }
        end(.failed(failure))
    }

    private func attemptEnded() {
        watcher = nil
        guard let descriptor = descriptor.take() else { preconditionFailure("an attempt has a socket") }
        if let error = Sockets.pendingError(descriptor.number) {
            tryNextAddress(after: .failed(error))
        } else if Self.isConnectedToItself(descriptor.number) {
            tryNextAddress(after: .connectedToItself)
        } else {
            shakeHands(over: descriptor)
        }
    }

    private func shakeHands(over descriptor: consuming FileDescriptor) {
        guard let tls else { return end(.connected(ByteStream(descriptor))) }
        let handshake = Handshake(ByteStream(descriptor, session: tls.makeSession(to: upstream.host)))
        self.handshake = handshake
        handshake.start { [unowned self] in handshakeEnded($0) }
    }

    // By way of the property: a handshake that held itself would go on, and call back, when nobody waits any more.
    private func handshakeEnded(_ failure: TLSError?) {
        guard let handshake = handshake.take() else { preconditionFailure("a handshake that ends is under way") }
        // Another address of the same name would show the same certificate, or ought to.
        if let failure { end(.failed(.insecure(failure))) } else { end(.connected(handshake.takeStream())) }
    }

    /// Whether the kernel joined the socket to itself.
    ///
    /// That happens on one host when nobody listens on the port and the kernel gives that very port to our side
    /// ("simultaneous open", RFC 9293 §3.5). Who tries again and again meets it, and keeps the upstream from its port.
    private static func isConnectedToItself(_ descriptor: CInt) -> Bool {
        guard let local = try? Sockets.localAddress(descriptor), local.numericHost != nil else { return false }
        return local == (try? Sockets.peerAddress(descriptor))
    }
}
