internal import Logging
internal import Postgres
internal import Reactor
internal import RedisStreams

/// What the events of prices do: the moving averages of their symbols are made anew.
@ReactorActor
final class AverageUpdater: StreamHandler {
    /// The most that one statement may take.
    private static let timeout = Duration.seconds(5)

    private let database: PostgresPool
    private let logger: Logger
    private let onChanged: @ReactorActor () -> Void

    /// - Parameter onChanged: Called when averages have changed.
    init(_ database: PostgresPool, logger: Logger, onChanged: @escaping @ReactorActor () -> Void = {}) {
        self.database = database
        self.logger = logger
        self.onChanged = onChanged
    }

    // MARK: Effects

    private static let apply = PostgresStatement(
        "select symbol, moving_average from apply_price_events($1::bigint[], $2, $3, $4, $5)"
    )

    /// An event of its own for each of them; those that the database refuses are found by halving.
    func handle(_ entries: [StreamEntry]) async -> [StreamVerdict] {
        let ids = entries.map { PriceEvent.priceID(of: $0) }
        var verdicts = ids.map { $0 == nil ? StreamVerdict.failed("not the event of a price") : .unable }
        var parts = [entries.indices.filter { ids[$0] != nil }]
        while let part = parts.popLast() {
            guard let last = part.last else { continue }
            do throws(PostgresError) {
                try await apply(part.compactMap { ids[$0] }, until: entries[last].id)
                for index in part { verdicts[index] = .done }
            } catch {
                guard let reason = error.eventFault else {
                    logger.debug("averages were not updated", metadata: ["reason": "\(error)"])
                    // Nor would the rest be.
                    break
                }
                if part.count == 1 {
                    verdicts[last] = .failed(reason)
                } else {
                    parts.append(Array(part[(part.count / 2)...]))
                    parts.append(Array(part[..<(part.count / 2)]))
                }
            }
        }
        return verdicts
    }

    private func apply(_ ids: [Int64], until position: StreamPosition) async throws(PostgresError) {
        _ = try await database.query(
            Self.apply,
            [
                .array(ids.lazy.map { String($0) }), .text(PriceEvent.stream), .text(PriceEvent.group),
                .int64(Int64(clamping: position.milliseconds)), .int64(Int64(clamping: position.number)),
            ],
            deadline: Reactor.now + Self.timeout
        )
        onChanged()
    }

    // MARK: What was lost, and what is given up

    private static let bury = PostgresStatement("select bury_price_events($1::bigint[])")
    private static let lose = PostgresStatement("select lose_price_events()")
    private static let newest = PostgresStatement(
        "select milliseconds, number from stream_positions where stream = $1 and consumer_group = $2"
    )

    /// Dead events are not made again by themselves.
    func willBury(_ entries: [DeadStreamEntry]) async -> Bool {
        let ids = entries.compactMap { PriceEvent.priceID(of: $0.entry) }
        guard !ids.isEmpty else { return true }
        let deadline = Reactor.now + Self.timeout
        return (try? await database.query(Self.bury, [.array(ids.lazy.map { String($0) })], deadline: deadline)) != nil
    }

    func position() async -> StreamPosition? {
        let result = try? await database.query(
            Self.newest,
            [.text(PriceEvent.stream), .text(PriceEvent.group)],
            deadline: Reactor.now + Self.timeout
        )
        guard let result else { return nil }
        guard !result.isEmpty, let milliseconds = result.int64(0, 0), let number = result.int64(0, 1) else {
            return .start
        }
        return StreamPosition(milliseconds: UInt64(milliseconds), number: UInt64(number))
    }

    func groupWasMade() async -> Bool {
        (try? await database.query(Self.lose, deadline: Reactor.now + Self.timeout)) != nil
    }
}

extension PostgresError {
    /// What is wrong with an event, if it is the event: a value that cannot be (class 22), one that a table does not
    /// take (23), or what a trigger raises (P0). Anything else is the surroundings'.
    fileprivate var eventFault: String? {
        switch self {
        case .server(let error):
            ["22", "23", "P0"].contains { error.sqlState.code.hasPrefix($0) }
                ? "the database refuses its effect: SQLSTATE \(error.sqlState.code)" : nil
        case .unencodable: "it cannot be stored"
        case .unavailable, .overloaded, .timedOut, .connectionLost: nil
        }
    }
}
