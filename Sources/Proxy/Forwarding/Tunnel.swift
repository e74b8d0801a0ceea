internal import HTTPClient
internal import HTTPServer
internal import Reactor

/// A connection that speaks another protocol than HTTP after both sides agreed: bytes go both ways, at the pace of the
/// slower side, until either ends or both are silent for too long.
@ReactorActor
final class Tunnel {
    private let input: HTTPRequestBody
    private let output: HTTPResponseWriter
    private let exchange: HTTPClientExchange
    private let idleTimeout: Duration
    private let onEnd: () -> Void
    private var lastByteAt = Reactor.now
    private var timer: Timer?
    private var isReading = false
    private var hasClientEnded = false
    private var isEnded = false

    /// Begins at once.
    ///
    /// - Parameter onEnd: Called once, when this side ends it.
    init(
        _ input: HTTPRequestBody,
        _ output: HTTPResponseWriter,
        _ exchange: HTTPClientExchange,
        idleTimeout: Duration,
        onEnd: @escaping @ReactorActor () -> Void
    ) {
        self.input = input
        self.output = output
        self.exchange = exchange
        self.idleTimeout = idleTimeout
        self.onEnd = onEnd
        timer = Timer { [unowned self] in lookForSilence() }
        timer?.schedule(after: idleTimeout)
        // Nobody can tell both ends to come back later in a protocol that is not known here.
        output.whenDraining { [weak self] in self?.end() }
        read()
    }

    /// Nothing more is passed on.
    func stop() {
        isEnded = true
        timer = nil
    }

    private func end() {
        guard !isEnded else { return }
        stop()
        onEnd()
    }

    private func lookForSilence() {
        let due = lastByteAt + idleTimeout
        if due <= Reactor.now { end() } else { timer?.schedule(at: due) }
    }

    // MARK: From the client to the upstream

    private func read() {
        guard !isReading, !isEnded else { return }
        isReading = true
        input.read { [weak self] result in self?.clientSaid(result) }
    }

    private func clientSaid(_ result: Result<[UInt8]?, HTTPBodyError>) {
        isReading = false
        guard !isEnded else { return }
        lastByteAt = Reactor.now
        switch result {
        case .success(let bytes?): exchange.write(bytes.span)
        case .success(nil):
            hasClientEnded = true
            if exchange.unsentBytes == 0 { end() }
        case .failure: end()
        }
    }

    /// The upstream has taken everything that the client said.
    func upstreamTookAll() {
        if hasClientEnded { end() } else { read() }
    }

    // MARK: From the upstream to the client

    func received(_ bytes: Span<UInt8>) {
        lastByteAt = Reactor.now
        output.write(bytes)
        guard !output.hasRoom, !output.isClosed else { return }
        exchange.pause()
        output.whenRoom { [weak self] in
            guard let self, !isEnded else { return }
            if output.isClosed { end() } else { exchange.resume() }
        }
    }

    func upstreamEnded(_ failure: HTTPClientError?) {
        if failure != nil { output.abort() }
        end()
    }
}
