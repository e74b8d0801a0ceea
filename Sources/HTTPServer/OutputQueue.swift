internal import HTTPWire
internal import Reactor

/// Bytes that wait to be sent, in order.
struct OutputQueue {
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

    /// How many bytes wait.
    private(set) var byteCount = 0

    var isEmpty: Bool { byteCount == 0 }

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
        guard bytes.count > Self.copiedBytes else { return last.append(contentsOf: bytes) }
        if !last.isEmpty {
            pieces.append(last)
            last = []
        }
        pieces.append(bytes)
    }

    enum SendOutcome {
        case sentAll
        /// The socket is full, or `budgetBytes` are spent: the rest waits for readiness.
        case stopped
        case failed
    }

    /// Sends what the stream takes, at most about `budgetBytes`.
    mutating func send(to stream: borrowing ByteStream, budgetBytes: Int) -> SendOutcome {
        var budgetBytes = budgetBytes
        while byteCount > 0 {
            guard budgetBytes > 0 else { return .stopped }
            let piece = pieces.first ?? last
            let result = unsafe piece.withUnsafeBytes { bytes in
                unsafe stream.write(UnsafeRawBufferPointer(rebasing: bytes[sentBytes...]))
            }
            switch result {
            case .bytes(let count):
                budgetBytes -= count
                sent(count, of: piece.count)
            case .wouldBlock: return .stopped
            case .endOfStream, .failed: return .failed
            }
        }
        switch stream.flush() {
        case .bytes: return .sentAll
        case .wouldBlock: return .stopped
        case .endOfStream, .failed: return .failed
        }
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

    /// Forgets everything.
    mutating func clear() { self = OutputQueue() }
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
