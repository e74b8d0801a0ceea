internal import Reactor

/// A Lua script that Redis runs atomically.
///
/// It is called by its digest (`EVALSHA`), which Redis is asked for with the first call (`SCRIPT LOAD`); until it has
/// told, calls take the source along (`EVAL`). Redis forgets scripts when it restarts or fails over; then it answers
/// `NOSCRIPT` without having executed anything, and the call is repeated with the source, which also makes Redis
/// remember it again. So nothing has to be loaded beforehand.
public struct RedisScript: Sendable {
    /// What Redis calls a script; every Redis calls it the same.
    @ReactorActor
    private final class Name {
        var digest: String?
        var isAskedFor = false

        nonisolated init() {}
    }

    /// The Lua source.
    public let source: String
    private let name = Name()

    /// Takes the source, which should be a constant: arguments belong into `ARGV`.
    public init(_ source: String) { self.source = source }

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

        guard let digest = name.digest else {
            learnDigest(on: client)
            return evaluate(operands, on: client, timeout, then: handler)
        }
        var command = RedisCommand(capacityBytes: operands.encodedBytes + 64)
        command.append("EVALSHA")
        command.append(digest)
        command.append(argumentsOf: operands)
        client.send(&command, timeout: timeout) { [self, operands, weak client] outcome in
            guard case .refused(let error)? = outcome.error, error.code == .noScript, let client else {
                return handler(outcome)
            }
            evaluate(operands, on: client, timeout, then: handler)
        }
    }

    @ReactorActor
    private func evaluate(
        _ operands: RedisCommand,
        on client: RedisClient,
        _ timeout: Duration?,
        then handler: @escaping RedisReplyHandler
    ) {
        var command = RedisCommand(capacityBytes: operands.encodedBytes + source.utf8.count + 64)
        command.append("EVAL")
        command.append(source)
        command.append(argumentsOf: operands)
        client.send(&command, timeout: timeout, then: handler)
    }

    @ReactorActor
    private func learnDigest(on client: RedisClient) {
        guard !name.isAskedFor else { return }
        name.isAskedFor = true
        var command: RedisCommand = ["SCRIPT", "LOAD"]
        command.append(source)
        client.send(&command, timeout: nil) { [name] outcome in
            switch outcome.copied() {
            case .success(let reply): name.digest = reply.text
            case .failure(.refused(let error)) where error.code != .loading && error.code != .busy:
                break  // To somebody who may not load scripts; then each call takes its own along.
            case .failure: name.isAskedFor = false
            }
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
