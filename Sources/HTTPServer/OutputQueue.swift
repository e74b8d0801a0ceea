internal import HTTPWire
internal import Reactor

/// Bytes that wait to be sent, in order, and whether the socket takes them.
struct OutputQueue {
    /// What is known of the room in the socket.
    private enum Socket {
        case open
        /// It had no room, or has had its share of this turn.
        case full
        /// It was full, and has room now.
        case freed
    }

    /// Bytes sent in one turn before other connections get theirs: some 100 µs of copying in the kernel.
    private static let turnBudgetBytes = 256 * 1024

    /// Shorter bodies are copied behind their heads, so that both leave in one call; longer ones are kept as they are,
    /// because copying 32 KiB costs more than the call.
    private static let copiedBytes = 32 * 1024

    /// An idle connection keeps no more than this of its buffer.
    private static let keptCapacityBytes = 2 * 1024

    /// Full pieces before `last`. Nearly always empty.
    private var pieces: [[UInt8]] = []
    /// Where new bytes go.
    private var last: [UInt8] = []
    /// How many bytes of the first piece (or of `last`, without pieces) are sent.
    private var sentBytes = 0

    private var socket = Socket.open
    private var turn = Instant.origin
    private var sentThisTurnBytes = 0

    /// How many bytes wait.
    private(set) var byteCount = 0

    var isEmpty: Bool { byteCount == 0 }

    /// Whether there is something to send that has to wait for the socket.
    var isBlocked: Bool { socket == .full }

    /// Whether the client has enough to read. Until it has read, asking ahead gains it nothing, and costs memory here.
    var isLate: Bool { socket != .open || byteCount >= HTTPServer.leastOutputLimitBytes }

    /// The socket has room.
    mutating func becameReady() {
        if socket == .full { socket = .freed }
    }

    /// The memory that what waits takes up, with what is sent already of a piece and what buffers have to spare.
    var heldBytes: Int { isEmpty ? 0 : pieces.reduce(last.capacity) { $0 + $1.count } }

    /// Appends whatever `write` appends to a buffer.
    mutating func append(_ write: (inout [UInt8]) -> Void) {
        let before = last.count
        write(&last)
        byteCount += last.count - before
    }

    mutating func append(_ bytes: [UInt8]) {
        byteCount += bytes.count
        guard bytes.count > Self.copiedBytes else { return last.append(copying: bytes.span) }
        if !last.isEmpty {
            pieces.append(last)
            last = []
        }
        pieces.append(bytes)
    }

    /// Sends what the stream takes, and not more than its share of a turn.
    ///
    /// - Returns: How many bytes that is; nil if the stream is broken.
    mutating func send(to stream: borrowing ByteStream, turn: Instant) -> Int? {
        if turn != self.turn {
            self.turn = turn
            sentThisTurnBytes = 0
        }
        let before = byteCount
        defer { sentThisTurnBytes += before - byteCount }
        var budgetBytes = Self.turnBudgetBytes - sentThisTurnBytes
        socket = .full
        while byteCount > 0 {
            guard budgetBytes > 0 else { return before - byteCount }
            let piece = pieces.first ?? last
            let result = unsafe piece.withUnsafeBytes { bytes in
                unsafe stream.write(UnsafeRawBufferPointer(rebasing: bytes[sentBytes...]))
            }
            switch result {
            case .bytes(let count):
                budgetBytes -= count
                sent(count, of: piece.count)
            case .wouldBlock: return before - byteCount
            case .endOfStream, .failed: return nil
            }
        }
        switch stream.flush() {
        case .bytes: socket = .open
        case .wouldBlock: break
        case .endOfStream, .failed: return nil
        }
        return before
    }

    private mutating func sent(_ count: Int, of pieceBytes: Int) {
        byteCount -= count
        sentBytes += count
        guard sentBytes == pieceBytes else { return }
        sentBytes = 0
        if pieces.isEmpty {
            if last.capacity > Self.keptCapacityBytes { last = [] } else { last.removeAll(keepingCapacity: true) }
        } else {
            pieces.removeFirst()
        }
    }
}

/// The buffer that every connection of a server reads into. One is enough: what a read brought is used up, or copied,
/// before the next read.
@safe final class ReadBuffer {
    private let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: ByteStream.readBytes)

    init() {}

    deinit { unsafe memory.deallocate() }

    func read(from stream: borrowing ByteStream) -> IOResult {
        unsafe stream.read(into: UnsafeMutableRawBufferPointer(memory))
    }

    /// The first `count` bytes of what the last read brought.
    func withBytes(_ count: Int, _ body: (Span<UInt8>) -> Void) {
        unsafe body(memory.span.extracting(first: count))
    }
}
