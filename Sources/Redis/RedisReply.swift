internal import CHiredis
public import Reactor

/// A reply of Redis, copied out of hiredis.
public enum RedisReply: Equatable, Sendable {
    /// A bulk string: any bytes.
    case bytes([UInt8])
    /// A status such as `OK`.
    case status(String)
    /// A whole number.
    case integer(Int64)
    case null
    /// Several replies.
    case array([RedisReply])
    /// An error inside an array; one that is the whole reply becomes ``RedisError/refused(_:)``.
    case error(RedisServerError)

    /// Copies a borrowed reply.
    @ReactorActor
    init(copying view: borrowing RedisReplyView) {
        switch view.kind {
        case .bytes: self = .bytes(view.withBytes { bytes in Array(copying: bytes) })
        case .status: self = .status(view.text ?? "")
        case .integer: self = .integer(view.integer ?? 0)
        case .null: self = .null
        case .error: self = .error(RedisServerError(reply: view.text ?? ""))
        case .array:
            var elements: [RedisReply] = []
            elements.reserveCapacity(view.count)
            for index in 0..<view.count { elements.append(RedisReply(copying: view[index])) }
            self = .array(elements)
        }
    }

    /// The text of a bulk string or status, invalid UTF-8 repaired.
    public var text: String? {
        switch self {
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .status(let text): text
        case .integer, .null, .array, .error: nil
        }
    }

    /// The number, or the number that a bulk string spells.
    public var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .bytes(let bytes): Int64(String(decoding: bytes, as: UTF8.self))
        case .status, .null, .array, .error: nil
        }
    }

    /// The bytes of a bulk string.
    public var bytes: [UInt8]? {
        if case .bytes(let bytes) = self { bytes } else { nil }
    }

    /// The elements of an array.
    public var array: [RedisReply]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The fields of a reply that lists names and values in turn, as `HGETALL` does.
    public var fields: [String: RedisReply]? {
        guard let array, array.count.isMultiple(of: 2) else { return nil }
        var fields: [String: RedisReply] = [:]
        for index in stride(from: 0, to: array.count, by: 2) {
            guard let name = array[index].text else { return nil }
            fields[name] = array[index + 1]
        }
        return fields
    }
}

/// A reply that still belongs to hiredis: for hot paths that read it once and copy only what they keep.
///
/// It is lent for the duration of a callback. Being noncopyable and passed as `borrowing`, it cannot be kept longer.
@ReactorActor
@safe public struct RedisReplyView: ~Copyable {
    /// The types of RESP2: `bytes` is a bulk string, and `null` a bulk string or an array that is not there.
    public enum Kind: Sendable {
        case bytes, status, integer, null, array, error
    }

    // hiredis owns the memory and frees it after the callback.
    private let reply: UnsafePointer<redisReply>

    init(_ reply: UnsafePointer<redisReply>) { unsafe self.reply = reply }

    /// The same reply, to be lent inside a ``RedisOutcome``; the caller must not let it outlive the callback.
    func lent() -> RedisReplyView { unsafe RedisReplyView(reply) }

    /// What this reply is.
    public var kind: Kind {
        switch unsafe reply.pointee.type {
        case REDIS_REPLY_STRING: .bytes
        case REDIS_REPLY_STATUS: .status
        case REDIS_REPLY_INTEGER: .integer
        case REDIS_REPLY_ARRAY: .array
        case REDIS_REPLY_ERROR: .error
        default: .null
        }
    }

    /// How many elements an array has; 0 for anything else.
    public var count: Int { kind == .array ? unsafe reply.pointee.elements : 0 }

    /// An element of an array.
    public subscript(index: Int) -> RedisReplyView {
        _read {
            precondition(index >= 0 && index < count)
            guard let element = unsafe reply.pointee.element[index] else {
                preconditionFailure("hiredis made no element")
            }
            yield unsafe RedisReplyView(element)
        }
    }

    /// Whether there is no value.
    var isNull: Bool { kind == .null }

    /// The number, or the number that a bulk string spells.
    public var integer: Int64? {
        switch kind {
        case .integer: unsafe reply.pointee.integer
        case .bytes: text.flatMap { Int64($0) }
        case .status, .null, .array, .error: nil
        }
    }

    /// Calls `body` with the bytes of a string, status or error; with none for anything else.
    public func withBytes<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let bytes = unsafe UnsafeRawBufferPointer(start: reply.pointee.str, count: hasText ? reply.pointee.len : 0)
        return try body(unsafe bytes.bindMemory(to: UInt8.self).span)
    }

    /// A copy of the bytes of a string or status.
    public var bytes: [UInt8] { withBytes { bytes in Array(copying: bytes) } }

    /// The text of a string, status or error, invalid UTF-8 repaired.
    public var text: String? {
        guard hasText else { return nil }
        let bytes = unsafe UnsafeRawBufferPointer(start: reply.pointee.str, count: reply.pointee.len)
        return unsafe String(decoding: bytes, as: UTF8.self)
    }

    private var hasText: Bool {
        switch kind {
        case .bytes, .status, .error: true
        case .integer, .null, .array: false
        }
    }
}

/// What became of a command, lent to its handler.
public enum RedisOutcome: ~Copyable {
    /// Redis answered, and not with an error.
    case reply(RedisReplyView)
    /// There is no good reply.
    case failed(RedisError)

    /// The outcome as a value that may be kept.
    @ReactorActor
    public func copied() -> Result<RedisReply, RedisError> {
        switch self {
        case .reply(let reply): .success(RedisReply(copying: reply))
        case .failed(let error): .failure(error)
        }
    }

    /// Why there is no good reply; nil when there is one.
    public var error: RedisError? {
        switch self {
        case .reply: nil
        case .failed(let error): error
        }
    }
}

/// Receives the outcome of one command: exactly once, on the loop.
public typealias RedisReplyHandler = @ReactorActor (borrowing RedisOutcome) -> Void

extension Array where Element == UInt8 {
    /// Copies a span, all of it at once.
    public init(copying span: Span<UInt8>) {
        self = unsafe span.withUnsafeBufferPointer { unsafe Array($0) }
    }
}
