internal import Reactor

/// A Lua script that Redis runs atomically.
///
/// It is called by its digest (`EVALSHA`). Redis forgets scripts when it restarts or fails over; then it answers
/// `NOSCRIPT` without having executed anything, and the call is repeated with the source (`EVAL`), which also makes
/// Redis remember it again. So nothing has to be loaded beforehand.
public struct RedisScript: Sendable {
    /// The Lua source.
    public let source: String
    private let digest: String

    /// Takes the source, which should be a constant: arguments belong into `ARGV`.
    public init(_ source: String) {
        self.source = source
        digest = SHA1.hexDigest(of: Array(source.utf8))
    }

    /// Runs the script and lends its reply to a callback.
    ///
    /// - Parameters:
    ///   - keys: What the script finds in `KEYS`.
    ///   - timeout: How long to wait for the reply; nil means ``RedisConfiguration/commandTimeout``.
    ///   - arguments: Appends what the script finds in `ARGV`.
    ///   - handler: Called exactly once, on the loop; before this method returns when nothing could be sent.
    @ReactorActor
    public func run(
        on client: RedisClient,
        keys: [String],
        timeout: Duration? = nil,
        arguments: (inout RedisCommand) -> Void = { _ in },
        then handler: @escaping RedisReplyHandler
    ) {
        var operands = RedisCommand(capacityBytes: 1024)
        operands.append(keys.count)
        for key in keys { operands.append(key) }
        arguments(&operands)

        var command = RedisCommand(capacityBytes: operands.encodedBytes + 64)
        command.append("EVALSHA")
        command.append(digest)
        command.append(argumentsOf: operands)
        client.send(&command, timeout: timeout) { [source, operands, weak client] outcome in
            guard case .refused(let error)? = outcome.error, error.code == .noScript, let client else {
                return handler(outcome)
            }
            var command = RedisCommand(capacityBytes: operands.encodedBytes + source.utf8.count + 64)
            command.append("EVAL")
            command.append(source)
            command.append(argumentsOf: operands)
            client.send(&command, timeout: timeout, then: handler)
        }
    }

    /// Runs the script and waits for a copy of its reply.
    @ReactorActor
    public func run(
        on client: RedisClient,
        keys: [String],
        _ arguments: [RedisArgument] = [],
        timeout: Duration? = nil
    ) async throws(RedisError) -> RedisReply {
        let promise = Promise<RedisReply, RedisError>()
        run(on: client, keys: keys, timeout: timeout) { command in
            for argument in arguments { command.append(argument) }
        } then: { outcome in
            promise.settle(outcome.copied())
        }
        return try await promise.value
    }
}
