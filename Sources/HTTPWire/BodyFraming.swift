/// How the end of a body is found (RFC 9112 §6.3).
public enum BodyFraming: Hashable, Sendable {
    /// There is no body, and no field says so: a request without one, a 204, an answer to HEAD.
    case none
    /// Exactly so many bytes, as `Content-Length` says. 0 is a body too: an empty one.
    case length(Int)
    /// Chunks, the last of which is empty.
    case chunked
    /// Everything until the connection ends. Only in responses.
    case untilClose
}

/// Takes the body of one message out of the bytes of a connection.
///
///     fixed(n) ──n bytes──▶ done     chunked ──last chunk, trailers──▶ done     untilClose ──end of stream──▶ done
struct BodyDecoder {
    enum Event: Equatable {
        /// Every byte was used up.
        case needMoreBytes
        /// Offsets into the bytes given.
        case bytes(Range<Int>)
        case end
    }

    private enum State {
        case fixed(remainingBytes: Int)
        /// Indirect, because it is large, and few bodies come in chunks.
        indirect case chunked(ChunkedDecoder)
        case untilClose(receivedBytes: Int)
    }

    private let limitBytes: Int
    private var state: State

    /// Throws ``HTTPParseError/bodyTooLarge(limitBytes:)`` if the framing already says so.
    init(_ framing: BodyFraming, within limits: HTTPLimits) throws(HTTPParseError) {
        limitBytes = limits.bodyBytes
        switch framing {
        case .none: state = .fixed(remainingBytes: 0)
        case .length(let count):
            guard count <= limits.bodyBytes else { throw .bodyTooLarge(limitBytes: limits.bodyBytes) }
            state = .fixed(remainingBytes: count)
        case .chunked: state = .chunked(ChunkedDecoder(within: limits))
        case .untilClose: state = .untilClose(receivedBytes: 0)
        }
    }

    /// Takes one step; `consumed` leading bytes of `unread` are used up.
    mutating func step(_ unread: Span<UInt8>) throws(HTTPParseError) -> (event: Event, consumed: Int) {
        switch state {
        case .fixed(remainingBytes: 0):
            return (.end, 0)
        case .fixed(let remainingBytes):
            let taken = min(remainingBytes, unread.count)
            guard taken > 0 else { return (.needMoreBytes, 0) }
            state = .fixed(remainingBytes: remainingBytes - taken)
            return (.bytes(0..<taken), taken)
        case .chunked(var decoder):
            // Moved out and back, so that its buffers have one owner while it changes them.
            state = .fixed(remainingBytes: 0)
            let step = try decoder.step(unread)
            state = .chunked(decoder)
            return step
        case .untilClose(let receivedBytes):
            guard !unread.isEmpty else { return (.needMoreBytes, 0) }
            guard receivedBytes < limitBytes else { throw .bodyTooLarge(limitBytes: limitBytes) }
            // What fits is delivered first, so that the outcome does not depend on how the network cut the bytes.
            let taken = min(limitBytes - receivedBytes, unread.count)
            state = .untilClose(receivedBytes: receivedBytes + taken)
            return (.bytes(0..<taken), taken)
        }
    }

    /// What stood behind the last chunk; nil for nothing.
    var trailers: HTTPFields? {
        if case .chunked(let decoder) = state { decoder.trailers } else { nil }
    }

    /// Whether the end of the connection is the end of the body.
    var endsWithConnection: Bool {
        if case .untilClose = state { true } else { false }
    }
}
