internal import Basics

/// Decodes the chunked transfer coding (RFC 9112 §7.1).
///
///     size ──CRLF──▶ data ──n bytes──▶ dataEnd ──CRLF──▶ size …      size(0) ──▶ trailers ──empty line──▶ done
///
/// Chunk extensions are checked, bounded, and dropped. Trailers are checked like any field and
/// kept apart from the head's (RFC 9110 §6.5.1): none of our routes gives one a meaning, and a proxy passes them on.
struct ChunkedDecoder {
    private enum State {
        /// Reading hex digits. `digits` counts them, because a run of zeros is otherwise endless.
        case size(value: Int, digits: Int)
        case chunkExtension(size: Int, lineBytes: Int, ChunkExtensions)
        case sizeLineFeed(size: Int)
        case data(remainingBytes: Int)
        case dataCarriageReturn
        case dataLineFeed
        case trailers(TrailerReader)
        case done
    }

    private let limits: HTTPLimits
    /// What stood behind the last chunk; nil for nothing.
    private(set) var trailers: HTTPFields?

    private var state = State.size(value: 0, digits: 0)
    private var bodyBytes = 0
    private var extensionBytes = 0

    init(within limits: HTTPLimits) {
        self.limits = limits
    }

    mutating func step(_ unread: Span<UInt8>) throws(HTTPParseError) -> (event: BodyDecoder.Event, consumed: Int) {
        var position = 0
        while true {
            switch state {
            case .data(let remainingBytes):
                let taken = min(remainingBytes, unread.count - position)
                guard taken > 0 else { return (.needMoreBytes, position) }
                state = taken == remainingBytes ? .dataCarriageReturn : .data(remainingBytes: remainingBytes - taken)
                return (.bytes(position..<position + taken), position + taken)
            case .trailers(let reader):
                guard let end = try reader.end(in: unread, from: position) else {
                    return (.needMoreBytes, unread.count)
                }
                state = .done
                trailers = reader.fields
                return (.end, end)
            case .done:
                return (.end, position)
            case .size, .chunkExtension, .sizeLineFeed, .dataCarriageReturn, .dataLineFeed:
                guard position < unread.count else { return (.needMoreBytes, position) }
                state = try afterFramingByte(unread[position])
                position += 1
            }
        }
    }

    /// The state after one byte outside of chunk data.
    private mutating func afterFramingByte(_ byte: UInt8) throws(HTTPParseError) -> State {
        switch state {
        case .size(let value, let digits):
            return try afterSizeByte(byte, value, digits)
        case .chunkExtension(let size, _, let extensions) where byte == ASCII.carriageReturn:
            guard extensions.mayEnd else { throw .malformedChunk }
            return .sizeLineFeed(size: size)
        case .chunkExtension(let size, let lineBytes, var extensions):
            extensionBytes += 1
            guard extensions.take(byte), lineBytes < HTTPLimits.chunkLineBytes,
                extensionBytes <= HTTPLimits.chunkExtensionBytes
            else { throw .malformedChunk }
            return .chunkExtension(size: size, lineBytes: lineBytes + 1, extensions)
        case .sizeLineFeed(let size):
            guard byte == ASCII.lineFeed else { throw .malformedChunk }
            guard size > 0 else { return .trailers(TrailerReader(within: limits)) }
            guard size <= limits.bodyBytes - bodyBytes else { throw .bodyTooLarge(limitBytes: limits.bodyBytes) }
            bodyBytes += size
            return .data(remainingBytes: size)
        case .dataCarriageReturn:
            guard byte == ASCII.carriageReturn else { throw .malformedChunk }
            return .dataLineFeed
        case .dataLineFeed:
            guard byte == ASCII.lineFeed else { throw .malformedChunk }
            return .size(value: 0, digits: 0)
        case .data, .trailers, .done:
            preconditionFailure("no framing byte is read here")
        }
    }

    /// `chunk-size = 1*HEXDIG`.
    ///
    /// 15 digits cannot overflow. A space before `;` is refused: it is where parsers differ.
    private func afterSizeByte(_ byte: UInt8, _ value: Int, _ digits: Int) throws(HTTPParseError) -> State {
        if let digit = Hexadecimal.value(byte) {
            guard digits < 15 else { throw .malformedChunk }
            return .size(value: value << 4 | Int(digit), digits: digits + 1)
        }
        guard digits > 0 else { throw .malformedChunk }
        switch byte {
        case ASCII.carriageReturn: return .sizeLineFeed(size: value)
        case ASCII.semicolon: return .chunkExtension(size: value, lineBytes: digits + 1, ChunkExtensions())
        default: throw .malformedChunk
        }
    }
}

/// Checks the trailer section of one body. A class, because hardly any body has trailers: this keeps their buffers out
/// of every parser.
private final class TrailerReader {
    private let rules: SectionRules
    private var scanner = SectionScanner()
    /// The section so far.
    private var bytes: [UInt8] = []
    /// Of the whole section, once it is there.
    private var length = 0

    /// The trailers, once they are there; nil for none.
    var fields: HTTPFields? {
        scanner.entries.isEmpty ? nil : HTTPFields(bytes: Array(bytes.prefix(length)), entries: scanner.entries)
    }

    init(within limits: HTTPLimits) {
        rules = SectionRules(limits: limits, startLine: nil)
    }

    /// The offset behind the section, or nil when everything was taken and more is needed.
    func end(in unread: Span<UInt8>, from start: Int) throws(HTTPParseError) -> Int? {
        let kept = bytes.count
        // One byte past the limit is enough for the scanner to refuse the section.
        let taken = min(unread.count - start, rules.limits.headBytes + 1 - kept)
        bytes.append(copying: unread.extracting(start..<start + taken))
        let section = bytes
        guard case .end(let end) = try scanner.next(in: section.span, rules: rules) else { return nil }
        length = end
        for entry in scanner.entries {
            switch entry.name {
            // A trailer that frames or routes is an attempt to confuse whoever merges it into the head (RFC 9110
            // §6.5.1).
            case .contentLength, .transferEncoding, .host: throw .malformedField
            case .other, .te, .date, .expect, .trailer, .upgrade, .connection, .keepAlive, .proxyConnection: continue
            }
        }
        return start + end - kept
    }
}
