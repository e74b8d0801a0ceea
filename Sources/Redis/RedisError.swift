public import Reactor

/// Why a command has no good reply.
public enum RedisError: Error, Equatable, Sendable {
    /// There was no connection; nothing was sent.
    case disconnected
    /// As many commands or bytes as allowed are already waiting; nothing was sent.
    case overloaded
    /// The connection was lost after the command was handed to it; it may have been executed.
    case connectionLost(RedisFault)
    /// No reply came in time; the command may have been, or may still be, executed.
    case timedOut
    /// Redis answered with an error; nothing was executed, except what a script may have done before it failed.
    case refused(RedisServerError)
    /// The command was executed, but its reply has another shape than the caller can read.
    case unexpectedReply

    /// Whether the command may have taken effect: only then can repeating it do something twice.
    public var mayHaveHappened: Bool {
        switch self {
        case .disconnected, .overloaded: false
        case .refused(let error): error.isFromScript && !error.refusesWrites
        case .connectionLost, .timedOut, .unexpectedReply: true
        }
    }
}

extension RedisError: CustomStringConvertible {
    /// Safe for a log line and for a metric label: bounded, and free of payload.
    public var description: String {
        switch self {
        case .disconnected: "not connected to redis"
        case .overloaded: "too many redis commands are waiting"
        case .connectionLost(let fault): "redis connection lost: \(fault)"
        case .timedOut: "redis did not answer in time"
        case .refused(let error): "redis refused: \(error)"
        case .unexpectedReply: "redis answered something unexpected"
        }
    }
}

/// Why a connection could not be made or did not last.
public enum RedisFault: Error, Equatable, Sendable, LinkFailure {
    /// The host's name has no address.
    case unresolved(ResolutionError)
    /// A system call failed: connecting, reading or writing. The text is the system's own.
    case system(String)
    /// Redis, or something between, closed the connection.
    case closedByPeer
    /// Redis sent bytes that are not RESP2.
    case malformedReply
    /// Connecting, introducing ourselves, or the oldest command took too long.
    case timedOut
    /// Redis refused to serve this connection: wrong password, too many clients, still loading, read-only replica.
    case refused(RedisServerError)
    /// We closed it.
    case closed
}

extension RedisFault {
    /// Whether the server does not accept this user or password.
    public var isLasting: Bool {
        if case .refused(let error) = self { error.code == .notAllowed } else { false }
    }
}

extension RedisFault: CustomStringConvertible {
    /// Safe for a log line: bounded, and free of payload.
    public var description: String {
        switch self {
        case .unresolved(let error): "\(error)"
        case .system(let words): words
        case .closedByPeer: "closed by redis"
        case .malformedReply: "redis sent something that is not RESP2"
        case .timedOut: "timed out"
        case .refused(let error): "refused: \(error)"
        case .closed: "closed"
        }
    }
}

/// An error reply of Redis.
public struct RedisServerError: Error, Equatable, Sendable {
    /// The first word of an error reply, as far as something depends on it.
    public enum Code: Equatable, Sendable {
        /// The data set is still being read from disk.
        case loading
        /// This server is a replica, or lost its master.
        case readOnly
        /// Wrong or missing password, one where none is set, or a command that the user may not run.
        case notAllowed
        /// `max number of clients reached`.
        case tooManyClients
        /// The script is not in the cache; nothing was executed.
        case noScript
        /// The stream or its consumer group does not exist.
        case noGroup
        /// The consumer group exists already.
        case busyGroup
        /// `CLIENT UNBLOCK … ERROR`, or the server became a replica.
        case unblocked
        /// The memory limit was met; Redis must run with `maxmemory-policy noeviction`.
        case outOfMemory
        /// Redis cannot persist, and therefore refuses writes.
        case cannotPersist
        /// Fewer replicas are connected than Redis must have to take writes.
        case tooFewReplicas
        /// Another script is running for too long.
        case busy
        /// A key holds another type than the command needs.
        case wrongType
        /// Anything else.
        case other
    }

    /// The kind of error.
    public let code: Code
    /// Whether it happened inside a script; what that had written before stays.
    let isFromScript: Bool
    /// The whole text, cut after ``messageLimitBytes`` bytes.
    public let message: String

    /// Longest text that is kept.
    static let messageLimitBytes = 200

    /// Takes the text of an error reply.
    init(reply: String) {
        message = String(decoding: reply.utf8.prefix(Self.messageLimitBytes), as: UTF8.self)
        code = Self.code(of: message)
        // Redis 7 appends where in the script it was: "… script: 3a25…, on @user_script:12."
        isFromScript = reply.contains("@user_script")
    }

    /// Whether Redis takes no writes at the moment, and so has written nothing. That is also what it means inside a
    /// script: Redis looks at its own state before the first write of a script, and lets it finish after that.
    var refusesWrites: Bool {
        switch code {
        case .outOfMemory, .cannotPersist, .tooFewReplicas, .readOnly: true
        case .loading, .notAllowed, .tooManyClients, .noScript, .noGroup, .busyGroup, .unblocked, .busy, .wrongType,
            .other:
            false
        }
    }

    /// Whether the connection is of no use after this error: another one, later or elsewhere, may be.
    var endsConnection: Bool {
        switch code {
        case .loading, .readOnly, .tooManyClients: true
        case .notAllowed: message.hasPrefix("NOAUTH")
        case .noScript, .noGroup, .busyGroup, .unblocked, .outOfMemory, .cannotPersist, .tooFewReplicas, .busy,
            .wrongType, .other:
            false
        }
    }

    private static func code(of message: String) -> Code {
        let word = message.prefix { $0 != " " }
        switch word {
        case "LOADING": return .loading
        case "READONLY", "MASTERDOWN": return .readOnly
        case "NOAUTH", "WRONGPASS", "NOPERM": return .notAllowed
        case "NOSCRIPT": return .noScript
        case "NOGROUP": return .noGroup
        case "BUSYGROUP": return .busyGroup
        case "UNBLOCKED": return .unblocked
        case "OOM": return .outOfMemory
        case "MISCONF": return .cannotPersist
        case "NOREPLICAS": return .tooFewReplicas
        case "BUSY": return .busy
        case "WRONGTYPE": return .wrongType
        default:
            // "ERR AUTH <password> called without any password configured …": there is none to be right.
            if message.hasPrefix("ERR AUTH") { return .notAllowed }
            return message.contains("max number of clients") ? .tooManyClients : .other
        }
    }
}

extension RedisServerError: CustomStringConvertible {
    /// The text of the reply, bounded. It can quote an argument, so it is for logs and never for clients.
    public var description: String { message }
}
