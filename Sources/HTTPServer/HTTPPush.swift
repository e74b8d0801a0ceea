internal import HTTPWire
public import Reactor

/// Who has something to say on a pushed response.
@ReactorActor
public protocol HTTPPushSource: AnyObject {
    /// The socket has room again, or for the first time.
    func pushBecameReady()

    /// Nothing more reaches the client. Called once.
    func pushEnded()
}

/// Bytes that many clients get, made once for all of them.
public struct HTTPPiece: Sendable {
    private let chunk: [UInt8]
    private let start: Int

    /// Takes at least one byte.
    public init(_ bytes: [UInt8]) {
        var chunk: [UInt8] = []
        chunk.reserveCapacity(bytes.count + 12)
        ChunkedEncoder.appendChunkStart(byteCount: bytes.count, to: &chunk)
        start = chunk.count
        chunk += bytes
        ChunkedEncoder.appendChunkEnd(to: &chunk)
        self.chunk = chunk
    }

    func bytes(isChunked: Bool) -> [UInt8] { isChunked ? chunk : Array(chunk[start..<(chunk.count - 2)]) }
}

/// A response that goes on for as long as its client wants, of whose connection nothing is left but the socket: for
/// many thousands of clients that are told the same.
///
/// Once the head is sent, the connection gives its socket up to this. Nothing is queued here: pieces are bytes that
/// many clients share. Of what the socket does not take, the rest of one piece is kept, and until it is gone the client
/// is not ready; what it should have next is then decided anew by the source.
@ReactorActor
public final class HTTPPush {
    private enum State {
        /// The connection has not sent the head.
        case waiting(HTTPConnection)
        case open(HTTPServer)
        case ended
    }

    /// Pieces that are sent in one call.
    private static let gatheredBytes = 16 * 1024
    /// What the kernel keeps for a client beyond what is on its way to it: more would only grow old there.
    private static let unsentBytes = 16 * 1024
    /// What a client may send that has nothing to say, before it is cut.
    private static let droppedLimitBytes = 64 * 1024
    private static let lastChunk = Array("0\r\n\r\n".utf8)

    let fields: HTTPFields
    /// Set by the connection when it writes the head.
    var isHeadWritten = false
    /// Whether pieces are sent as chunks; not to clients of HTTP/1.0.
    let isChunked: Bool
    /// Since when the client takes nothing; nil when it does.
    public private(set) var blockedSince: Instant?

    private var state: State
    private var source: (any HTTPPushSource)?
    private var stream = ByteStream.closed
    private var watcher: IOWatcher?
    private var expiry: Timer?
    private var rest: [UInt8] = []
    private var sentBytes = 0
    private var droppedBytes = 0

    init(_ fields: HTTPFields, isChunked: Bool, source: any HTTPPushSource, on connection: HTTPConnection) {
        self.fields = fields
        self.isChunked = isChunked
        self.source = source
        state = .waiting(connection)
    }

    /// Whether the client takes what is sent.
    public var isReady: Bool {
        if case .open = state { blockedSince == nil } else { false }
    }

    /// Whether nothing more reaches the client.
    public var isEnded: Bool {
        if case .ended = state { true } else { false }
    }

    // MARK: Sending

    /// Sends a piece now; only while ``isReady``.
    public func send(_ piece: HTTPPiece) {
        guard isReady else { return }
        send(piece.bytes(isChunked: isChunked))
    }

    private func send(_ piece: [UInt8]) {
        switch write(piece) {
        case piece.count where !stream.hasUnsent: return
        case let count?: keep(piece, from: count)
        case nil: end()
        }
    }

    /// Sends pieces now; only while ``isReady``.
    ///
    /// - Returns: How many of them are on their way; the others were not begun.
    public func send(_ pieces: [HTTPPiece]) -> Int {
        guard isReady, let first = pieces.first else { return 0 }
        guard pieces.count > 1 else {
            send(first)
            return 1
        }
        var gathered: [UInt8] = []
        var ends: [Int] = []
        for piece in pieces {
            gathered += piece.bytes(isChunked: isChunked)
            ends.append(gathered.count)
            if gathered.count >= Self.gatheredBytes { break }
        }
        guard let count = write(gathered) else {
            end()
            return 0
        }
        guard count < gathered.count || stream.hasUnsent else { return ends.count }
        // The first that is not sent in full.
        let index = ends.firstIndex { $0 > count } ?? ends.count
        let start = index == 0 ? 0 : ends[index - 1]
        guard count > start else {
            keep([], from: 0)
            return index
        }
        keep(pieces[index].bytes(isChunked: isChunked), from: count - start)
        return index + 1
    }

    /// How many bytes the socket took; nil if it is broken.
    private func write(_ bytes: [UInt8], from start: Int = 0) -> Int? {
        let result = unsafe bytes.withUnsafeBytes { buffer in
            unsafe stream.write(UnsafeRawBufferPointer(rebasing: buffer[start...]))
        }
        switch result {
        case .bytes(let count): return count
        case .wouldBlock: return 0
        case .endOfStream, .failed: return nil
        }
    }

    private func keep(_ piece: [UInt8], from start: Int) {
        rest = piece
        sentBytes = start
        blockedSince = Reactor.now
        watcher?.watch(for: [.read, .write])
    }

    private func becameReady(_ readiness: Readiness) {
        if readiness.contains(.read) { receive() }
        if readiness.contains(.write), !isEnded { writeOn() }
    }

    private func writeOn() {
        while sentBytes < rest.count {
            guard let count = write(rest, from: sentBytes) else { return end() }
            guard count > 0 else { return }
            sentBytes += count
            blockedSince = Reactor.now
        }
        switch stream.flush() {
        case .bytes: break
        case .wouldBlock: return
        case .endOfStream, .failed: return end()
        }
        rest = []
        sentBytes = 0
        blockedSince = nil
        watcher?.watch(for: .read)
        source?.pushBecameReady()
    }

    /// Nothing that the client sends means anything, but that it leaves does.
    private func receive() {
        guard case .open(let server) = state else { return }
        switch server.readBuffer.read(from: stream) {
        case .bytes(let count):
            droppedBytes += count
            if droppedBytes > Self.droppedLimitBytes { end() }
        case .wouldBlock: break
        case .endOfStream, .failed: end()
        }
    }

    // MARK: Beginning and end

    /// The connection has sent the head.
    func begin(_ stream: consuming ByteStream, _ server: HTTPServer) {
        guard case .waiting = state else { return }
        state = .open(server)
        let number = stream.number
        stream.limitUnsent(Self.unsentBytes)
        self.stream = consume stream
        // Unowned: dropped in `end`.
        watcher = IOWatcher(descriptor: number, for: .read) { [unowned self] in becameReady($0) }
        source?.pushBecameReady()
    }

    /// The connection has ended before.
    func connectionEnded() {
        guard case .waiting = state else { return }
        ended()
    }

    /// Ends the response in order, as far as that can be done at once.
    public func finish() {
        if isReady, isChunked { send(Self.lastChunk) }
        if isReady { stream.finish() }
        end()
    }

    /// Ends the response in order at an instant, if it lasts that long.
    public func finish(at instant: Instant) {
        // Unowned: dropped when the response ends.
        let timer = Timer { [unowned self] in finish() }
        timer.schedule(at: instant)
        expiry = timer
    }

    /// Cuts the connection: the client sees that the response is not whole.
    public func end() {
        switch state {
        case .waiting(let connection): connection.aborted(self)
        case .open(let server):
            watcher = nil
            stream.close()
            rest = []
            server.pushEnded(self)
        case .ended: return
        }
        ended()
    }

    private func ended() {
        state = .ended
        expiry = nil
        let source = source.take()
        source?.pushEnded()
    }
}

extension HTTPPush: Hashable {
    /// By identity.
    nonisolated public static func == (left: HTTPPush, right: HTTPPush) -> Bool { left === right }

    /// By identity.
    nonisolated public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
