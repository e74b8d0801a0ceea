public import HTTPWire
public import Reactor

/// Where the bytes of a body come from: a connection.
@ReactorActor
public protocol HTTPBodySource: AnyObject {
    /// Somebody waits for the first byte. Told once, and only if none has come.
    func bodyIsAwaited(_ body: HTTPBody)

    /// Bytes were taken, so that there may be room for more.
    func bodyWasTaken(_ body: HTTPBody)

    /// The reader wants no more of it, and has been told so.
    func bodyIsUnwanted(_ body: HTTPBody)
}

/// The body of a message, read at the pace of whoever reads it: bytes that nobody takes make the other side wait.
///
///     arriving ──last byte──▶ complete      arriving ──cut, too late, malformed, unwanted──▶ failed
///
/// It is the same for a request that comes in, a request that goes out, and a response, wherever it comes from: what
/// came from one connection is given to another as it is. What was received and not taken is bounded by a window and
/// one read of the connection.
///
/// One reader at a time. Who does not want the rest says so by ``cancel()``, or answers the request.
@ReactorActor
public final class HTTPBody {
    private enum State {
        case arriving
        case complete
        case failed(HTTPBodyError)
    }

    private enum Reader {
        case piece((Result<[UInt8]?, HTTPBodyError>) -> Void)
        case whole(limitBytes: Int, (Result<[UInt8], HTTPBodyError>) -> Void)
    }

    /// The body of a message that has none.
    public static let empty = HTTPBody([])

    /// What `Content-Length` says; nil for chunks, 0 without a body.
    public let declaredLength: Int?

    /// What stood behind the last chunk, once the body has ended; nil for nothing.
    public private(set) var trailers: HTTPFields?
    /// What is made of them; dropped at the end.
    private var trailerRule: ((HTTPFields) -> HTTPFields)?

    /// How many bytes have come.
    public private(set) var receivedBytes = 0

    private let windowBytes: Int
    private var state: State
    private var reader: Reader?
    /// What has come and was not taken.
    private var buffer: [UInt8]
    private var isAwaited = false
    /// Dropped at the end, which ends the cycle of references.
    private var source: (any HTTPBodySource)?

    /// A body that is there.
    ///
    /// - Parameter trailers: What stood behind its last chunk.
    public init(_ bytes: [UInt8], trailers: HTTPFields? = nil) {
        declaredLength = bytes.count
        self.trailers = trailers
        receivedBytes = bytes.count
        windowBytes = 0
        buffer = bytes
        state = .complete
    }

    /// A body that comes.
    ///
    /// - Parameters:
    ///   - declaredLength: nil if it is not known before the end.
    ///   - windowBytes: How many bytes that nobody has taken are enough: more are not asked for.
    ///   - source: Kept until the end.
    public init(declaredLength: Int?, windowBytes: Int, source: any HTTPBodySource) {
        self.declaredLength = declaredLength
        self.windowBytes = windowBytes
        self.source = source
        buffer = []
        state = .arriving
    }
}

// MARK: - The reader's side

extension HTTPBody {
    /// Why it did not come to its end; nil if it has, or still may.
    public var failure: HTTPBodyError? {
        if case .failed(let error) = state { error } else { nil }
    }

    /// Has `rule` say what is left of the trailers, before anybody sees them: who passes a body on, and took fields out
    /// of the head, takes them out here as well.
    public func passTrailers(by rule: @escaping @ReactorActor (HTTPFields) -> HTTPFields) {
        switch state {
        case .arriving: trailerRule = rule
        case .complete: trailers = trailers.map(rule)
        case .failed: break
        }
    }

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
            source?.bodyWasTaken(self)
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

    /// Ends it, because nobody wants the rest; whoever waits for it is told ``HTTPBodyError/unwanted``.
    public func cancel() {
        guard case .arriving = state else {
            buffer = []
            return
        }
        let source = source
        fail(.unwanted)
        source?.bodyIsUnwanted(self)
    }

    private func askForBytes() {
        guard !isAwaited else { return }
        isAwaited = true
        if receivedBytes == 0 { source?.bodyIsAwaited(self) }
    }

    private func take() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &buffer)
        source?.bodyWasTaken(self)
        return taken
    }
}

// MARK: - The source's side

extension HTTPBody {
    /// Whether no more should be read from the other side.
    public var isFull: Bool {
        if case .whole = reader { false } else { buffer.count >= windowBytes }
    }

    /// The memory that what was not taken takes up.
    public var heldBytes: Int { buffer.capacity }

    /// Takes bytes that have come; after the end they are dropped.
    public func receive(_ bytes: Span<UInt8>) {
        if case .arriving = state { buffer.append(copying: bytes) }
        received(bytes.count)
    }

    /// Takes bytes that have come, without copying them where nothing waits before them.
    public func receive(_ bytes: consuming [UInt8]) {
        let count = bytes.count
        if case .arriving = state {
            if buffer.isEmpty { buffer = bytes } else { buffer += bytes }
        }
        received(count)
    }

    private func received(_ count: Int) {
        receivedBytes += count
        guard case .arriving = state else { return }
        switch reader {
        case .piece(let then):
            reader = nil
            then(.success(take()))
        case .whole(let limitBytes, _) where buffer.count > limitBytes:
            fail(.tooLarge(limitBytes: limitBytes))
        case .whole, nil: break
        }
    }

    /// Everything has come.
    public func finish(trailers: HTTPFields? = nil) {
        guard case .arriving = state else { return }
        state = .complete
        self.trailers = if let trailerRule { trailers.map(trailerRule) } else { trailers }
        trailerRule = nil
        source = nil
        switch reader.take() {
        case .piece(let then): then(.success(nil))
        case .whole(_, let then): then(.success(take()))
        case nil: break
        }
    }

    /// Ends the body, and tells its reader.
    public func fail(_ error: HTTPBodyError) { failing(error)?() }

    /// Ends the body. What is returned tells the reader, and is called when nothing can go wrong by it any more.
    public func failing(_ error: HTTPBodyError) -> (() -> Void)? {
        guard case .arriving = state else { return nil }
        state = .failed(error)
        buffer = []
        trailerRule = nil
        source = nil
        switch reader.take() {
        case .piece(let then): return { then(.failure(error)) }
        case .whole(_, let then): return { then(.failure(error)) }
        case nil: return nil
        }
    }
}
