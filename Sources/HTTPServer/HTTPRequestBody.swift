public import HTTPWire
public import Reactor

/// Why a body could not be read to its end. What arrived before may have been acted on.
public enum HTTPBodyError: Error, Hashable, Sendable {
    /// It is longer than the handler or the server accepts.
    case tooLarge(limitBytes: Int)
    /// It is not framed as announced; the server answers by itself.
    case malformed(HTTPParseError)
    /// It stopped arriving; the server answers by itself.
    case timedOut
    /// The client left.
    case clientGone
    /// The request was answered before its body was read.
    case answered
}

/// The body of a request, read at the pace of whoever reads it: bytes that nobody takes make the client wait.
///
/// One reader at a time. A handler that does not want the body just answers; the rest is dropped.
@ReactorActor
public final class HTTPRequestBody {
    private enum State {
        case arriving
        case complete
        case failed(HTTPBodyError)
    }

    private enum Reader {
        case piece((Result<[UInt8]?, HTTPBodyError>) -> Void)
        case whole(limitBytes: Int, (Result<[UInt8], HTTPBodyError>) -> Void)
    }

    /// The body of a request that has none.
    static let empty = HTTPRequestBody()

    /// What `Content-Length` says; nil for chunks, 0 without a body.
    public let declaredLength: Int?

    /// What stood behind the last chunk, once the body has ended; nil for nothing.
    public internal(set) var trailers: HTTPFields?

    private let windowBytes: Int
    private var state: State
    private var reader: Reader?
    /// What has arrived and was not taken. Bounded by `windowBytes` and one read, or by the limit of a collector.
    private var buffer: [UInt8] = []
    private(set) var receivedBytes = 0

    /// The memory that what was not taken takes up.
    var heldBytes: Int { buffer.capacity }

    /// Set while `100 Continue` would still be of use.
    var requestContinue: (() -> Void)?
    /// Called when bytes were taken, so that reading can go on.
    var onTaken: (() -> Void)?

    private init() {
        declaredLength = 0
        windowBytes = 0
        state = .complete
    }

    init(_ framing: BodyFraming, windowBytes: Int) {
        declaredLength = if case .length(let count) = framing { count } else { nil }
        self.windowBytes = windowBytes
        state = .arriving
    }

    /// What a client says in another protocol.
    init(ofTunnelWithWindowBytes windowBytes: Int) {
        declaredLength = nil
        self.windowBytes = windowBytes
        state = .arriving
    }

    // MARK: The handler's side

    /// Gives the next bytes as soon as there are some; nil at the end. `then` may be called before this returns.
    public func read(then: @escaping @ReactorActor (Result<[UInt8]?, HTTPBodyError>) -> Void) {
        precondition(reader == nil, "a body has one reader at a time")
        guard buffer.isEmpty else { return then(.success(take())) }
        switch state {
        case .arriving:
            reader = .piece(then)
            askForBytes()
        case .complete: then(.success(nil))
        case .failed(let error): then(.failure(error))
        }
    }

    /// Gives the whole body once it is there. `then` may be called before this returns.
    ///
    /// - Parameter limitBytes: Most bytes to keep; a longer body fails with ``HTTPBodyError/tooLarge(limitBytes:)``.
    public func collect(
        limitBytes: Int,
        then: @escaping @ReactorActor (Result<[UInt8], HTTPBodyError>) -> Void
    ) {
        precondition(reader == nil, "a body has one reader at a time")
        if case .arriving = state, max(declaredLength ?? 0, buffer.count) > limitBytes {
            fail(.tooLarge(limitBytes: limitBytes))
        }
        switch state {
        case .arriving:
            reader = .whole(limitBytes: limitBytes, then)
            // All of it is wanted, so a buffer that was full is not any more.
            onTaken?()
            askForBytes()
        case .complete where buffer.count > limitBytes: then(.failure(.tooLarge(limitBytes: limitBytes)))
        case .complete: then(.success(take()))
        case .failed(let error): then(.failure(error))
        }
    }

    /// The next bytes; nil at the end.
    public func read() async throws(HTTPBodyError) -> [UInt8]? {
        if case .arriving = state, buffer.isEmpty {
            let promise = Promise<[UInt8]?, HTTPBodyError>()
            read { promise.settle($0) }
            return try await promise.value
        }
        var outcome: Result<[UInt8]?, HTTPBodyError> = .success(nil)
        read { outcome = $0 }
        return try outcome.get()
    }

    /// The whole body; see ``collect(limitBytes:then:)``.
    public func collect(limitBytes: Int) async throws(HTTPBodyError) -> [UInt8] {
        let promise = Promise<[UInt8], HTTPBodyError>()
        collect(limitBytes: limitBytes) { promise.settle($0) }
        return try await promise.value
    }

    private func askForBytes() {
        guard let requestContinue else { return }
        self.requestContinue = nil
        requestContinue()
    }

    private func take() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &buffer)
        onTaken?()
        return taken
    }

    // MARK: The connection's side

    /// Whether no more bytes should be read from the client.
    var isFull: Bool {
        if case .whole = reader { false } else { buffer.count >= windowBytes }
    }

    /// Whether `100 Continue` was not asked for, so that the client may never send the body.
    var isUnasked: Bool { requestContinue != nil && receivedBytes == 0 }

    func receive(_ bytes: Span<UInt8>) {
        receivedBytes += bytes.count
        requestContinue = nil
        guard case .arriving = state else { return }
        buffer.append(copying: bytes)
        switch reader {
        case .piece(let then):
            reader = nil
            then(.success(take()))
        case .whole(let limitBytes, _) where buffer.count > limitBytes:
            fail(.tooLarge(limitBytes: limitBytes))
        case .whole, nil: break
        }
    }

    func finish() {
        guard case .arriving = state else { return }
        state = .complete
        onTaken = nil
        let reader = reader
        self.reader = nil
        switch reader {
        case .piece(let then): then(.success(nil))
        case .whole(_, let then): then(.success(take()))
        case nil: break
        }
    }

    /// Ends the body, and tells its reader.
    func fail(_ error: HTTPBodyError) { failing(error)?() }

    /// Ends the body. What is returned tells the reader, and is called when nothing can go wrong by it any more.
    func failing(_ error: HTTPBodyError) -> (() -> Void)? {
        guard case .arriving = state else { return nil }
        state = .failed(error)
        buffer = []
        requestContinue = nil
        onTaken = nil
        let reader = reader
        self.reader = nil
        switch reader {
        case .piece(let then): return { then(.failure(error)) }
        case .whole(_, let then): return { then(.failure(error)) }
        case nil: return nil
        }
    }
}
