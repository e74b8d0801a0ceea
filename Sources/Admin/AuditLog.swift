internal import HTTPServer
internal import HTTPWire
public import JSONWire
public import Logging
public import Reactor
public import Redis
internal import RedisStreams
public import WebAPI

/// What operators have done, newest first: a line of the service's log, and an entry of a bounded stream in Redis.
///
/// The line is always written. An entry that Redis does not take is in the lines only.
@ReactorActor
public final class AuditLog {
    /// What was done once.
    struct Entry: Sendable {
        /// Its place in the log.
        let id: StreamPosition
        /// Who, what, to what, with which result, in which request; as it was written.
        let fields: [(name: String, value: String)]

        /// The entry as an object.
        func write(to writer: inout JSONWriter) {
            writer.object { writer in
                writer.member("id", id.description)
                writer.member("time", Timestamp(unixTime: .milliseconds(id.milliseconds)).description)
                for field in fields { writer.member(field.name, field.value) }
            }
        }
    }

    private static let stream = "tickloop:audit"
    /// About so many entries are kept.
    private static let entriesMax: Int64 = 10_000
    private static let timeout = Duration.milliseconds(500)

    private let redis: RedisClient
    private let logger: Logger

    /// - Parameter redis: A started client; it stays the caller's.
    public init(redis: RedisClient, logger: Logger) {
        self.redis = redis
        self.logger = logger
    }

    /// Notes that somebody did something.
    ///
    /// - Parameters:
    ///   - action: What: `queue.pause`.
    ///   - target: To what; empty where there is only one.
    ///   - result: What came of it, in a word or two.
    func record(_ action: String, _ target: String, result: String, _ context: RequestContext) async {
        let fields = [
            ("who", context.caller?.subject ?? context.head.fields[AdminDoor.operatorField] ?? "-"),
            ("from", context.peerAddress?.numericHost ?? "local"),
            ("action", action), ("target", target), ("result", result),
            ("request_id", context.identity.requestID.description),
        ]
        logger.notice(
            "operator",
            metadata: Logger.Metadata(uniqueKeysWithValues: fields.map { ($0.0, "\($0.1)") })
        )
        var command: [RedisArgument] = [
            "XADD", .string(Self.stream), "MAXLEN", "~", .integer(Self.entriesMax), "*",
        ]
        for field in fields { command += [.string(field.0), .string(field.1)] }
        do {
            _ = try await redis.command(command, timeout: Self.timeout)
        } catch {
            logger.warning("an operator's action is in no log but this", metadata: ["reason": "\(error)"])
        }
    }

    /// The newest entries, or those that are older than one.
    func entries(limit: Int, before id: StreamPosition? = nil) async throws(RedisError) -> [Entry] {
        // Nothing is older, and Redis refuses a stretch that ends there.
        guard id != .start else { return [] }
        let reply = try await redis.command([
            "XREVRANGE", .string(Self.stream), .string(id.map { "(\($0)" } ?? "+"), "-", "COUNT",
            .integer(Int64(limit)),
        ])
        guard let entries = reply.array else { throw .unexpectedReply }
        return entries.compactMap { StreamEntry($0) }.map { entry in
            Entry(
                id: entry.id,
                fields: entry.fields.map { ($0.name, String(decoding: $0.value, as: UTF8.self)) }
            )
        }
    }
}

extension Operation {
    /// A route of the admin listener that does something, and notes who did it and what came of it.
    ///
    /// - Parameters:
    ///   - action: What it does, in the log: `queue.pause`.
    ///   - target: To what; empty where there is only one.
    ///   - perform: Does it; returns the answer and what came of it in a word or two.
    public func performed(
        as action: String,
        in log: AuditLog,
        on target: @escaping @Sendable (Question) -> String = { _ in "" },
        _ perform: @escaping @ReactorActor @Sendable (Question) async throws(APIError) -> AdminOutcome
    ) -> Route {
        answered { question, context async throws(APIError) in
            do throws(APIError) {
                let outcome = try await perform(question)
                await log.record(action, target(question), result: outcome.words, context)
                return HTTPResponse(json: outcome.body.encoded)
            } catch {
                await log.record(action, target(question), result: error.code.rawValue, context)
                throw error
            }
        }
    }
}

/// What came of an operator's action.
public struct AdminOutcome: Sendable {
    /// For the log.
    let words: String
    /// For the answer.
    let body: JSONValue

    /// - Parameters:
    ///   - words: For the log, a word or two.
    ///   - body: For the answer.
    public init(_ words: String, _ body: JSONValue) {
        self.words = words
        self.body = body
    }
}

extension RouteGroup {
    /// What only the admin listener answers.
    public static let administration = RouteGroup("Administration", "What operators do; on the admin listener only.")
}

extension APIError {
    /// What a route says that may happen when it asks the broker.
    public static let ofBroker: [APIError] = [.unavailable]
}

/// Asks the broker for an operator.
@ReactorActor
public func brokered<Value>(
    _ question: @ReactorActor () async throws(RedisError) -> Value
) async throws(APIError) -> Value {
    do { return try await question() } catch { throw .unavailable }
}
