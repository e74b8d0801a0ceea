/// Turns the bytes of a connection into requests, however the network cut them.
///
///     head ──empty line──▶ body ──last byte──▶ head …        any ──error──▶ failed, for good
///
/// It knows no socket and no time. It never needs a byte twice: what a step does not consume is what follows the
/// action, not a rest that must be kept until more arrives. Noncopyable, because two copies would each believe that
/// they own the rest of the stream.
public struct RequestParser: ~Copyable {
    /// What the connection must do next.
    public enum Action: Sendable {
        /// Everything was consumed; read more.
        case needMoreBytes
        /// A request begins. If its head announces no bytes, that is all of it, and the next step begins another one.
        case deliverHead(RequestHead)
        /// A piece of the body: offsets into the bytes given to this step.
        case deliverBody(Range<Int>)
        /// The body is complete; the next step begins another request.
        case finishRequest
    }

    private enum State {
        case head
        case body(BodyDecoder)
        case failed(HTTPParseError)
    }

    /// Whether the body of a request may be longer than the limits say, because whoever takes it passes it on and keeps
    /// no more than a part of it. Asked only where it makes a difference.
    public var isBodyUnlimited: (RequestHead) -> Bool = { _ in false }

    /// What stood behind the last chunk of the request that ended last; nil for nothing. They are no fields of its
    /// head, and only who knows what they mean may merge them (RFC 9110 §6.5.1).
    public private(set) var trailers: HTTPFields?

    /// The fields of a head that came in full and was refused for what it says; nil for anything else.
    public private(set) var refusedFields: HTTPFields?

    private let limits: HTTPLimits
    private var state = State.head
    private var headReader: HeadReader<RequestLine>

    /// A parser at the start of a connection.
    public init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        headReader = HeadReader(within: limits)
    }

    /// Takes one step.
    ///
    /// - Parameter unread: Bytes received and not consumed by an earlier step.
    /// - Returns: The action, and how many leading bytes of `unread` are used up.
    /// - Throws: Why the stream is refused; the same again at every later step.
    public mutating func step(_ unread: Span<UInt8>) throws(HTTPParseError) -> (action: Action, consumed: Int) {
        do throws(HTTPParseError) {
            switch state {
            case .head: return try stepHead(unread)
            case .body(var decoder):
                state = .head
                let (event, consumed) = try decoder.step(unread)
                switch event {
                case .needMoreBytes:
                    state = .body(decoder)
                    return (.needMoreBytes, consumed)
                case .bytes(let range):
                    state = .body(decoder)
                    return (.deliverBody(range), consumed)
                case .end:
                    trailers = decoder.trailers
                    return (.finishRequest, consumed)
                }
            case .failed(let error): throw error
            }
        } catch {
            state = .failed(error)
            headReader.reset()
            throw error
        }
    }

    /// Says whether the connection may end here.
    ///
    /// - Throws: ``HTTPParseError/prematureEnd`` inside a request, or the error that ended the stream before.
    public func connectionEnded() throws(HTTPParseError) {
        switch state {
        case .head where headReader.isEmpty: return
        case .head, .body: throw .prematureEnd
        case .failed(let error): throw error
        }
    }

    /// Whether no byte of a next request has come: the connection is idle.
    public var isBetweenRequests: Bool {
        if case .head = state { headReader.isEmpty } else { false }
    }

    /// The memory that the head takes up of which a part has come.
    public var heldBytes: Int { headReader.heldBytes }

    private mutating func stepHead(_ unread: Span<UInt8>) throws(HTTPParseError) -> (action: Action, consumed: Int) {
        let (section, consumed) = try headReader.step(unread)
        guard let section else { return (.needMoreBytes, consumed) }
        let fields = section.fields
        do throws(HTTPParseError) {
            let head = try RequestHead(section)
            guard head.framing.hasBytes else {
                trailers = nil
                return (.deliverHead(head), consumed)
            }
            state = .body(try BodyDecoder(head.framing, within: limits(for: head)))
            return (.deliverHead(head), consumed)
        } catch {
            refusedFields = fields
            throw error
        }
    }

    private func limits(for head: RequestHead) -> HTTPLimits {
        switch head.framing {
        case .none, .untilClose: return limits
        case .length(let count) where count <= limits.bodyBytes: return limits
        case .length, .chunked:
            guard isBodyUnlimited(head) else { return limits }
            var limits = limits
            limits.bodyBytes = .max
            return limits
        }
    }
}
