internal import Basics
internal import Logging
internal import Outbox
internal import Postgres
internal import Reactor
internal import Redis

/// The stream `price-events`, as the relay of the outbox sees it.
///
/// At least once: a message is settled when Redis has said that its event is in the stream. One of unknown outcome is
/// sent again; whoever reads the stream knows an event by its id.
@ReactorActor
final class PriceEventDestination: RelayDestination {
    /// The most entries that the stream keeps, roughly.
    private static let streamLengthMax = "100000"
    /// The most that one statement may take.
    private static let timeout = Duration.seconds(5)

    /// Bounds of the relay: of many small messages, each of which Redis answers in a fraction of a millisecond.
    static let limits: RelayMachine.Limits = {
        var limits = RelayMachine.Limits()
        limits.inFlightMax = 512
        limits.pollInterval = .milliseconds(100)
        limits.sweepInterval = .seconds(1)
        limits.backoffCap = .seconds(1)
        return limits
    }()

    let name = PriceEvent.destination
    private let database: PostgresPool
    private let redis: RedisClient
    private let logger: Logger

    init(_ database: PostgresPool, _ redis: RedisClient, logger: Logger) {
        self.database = database
        self.redis = redis
        self.logger = logger
    }

    func prepare(_ message: inout RelayMessage, at moment: DatabaseMoment) {}

    func send(_ message: RelayMessage, deadline: Instant) async -> SendOutcome {
        guard let event = PriceEvent(payload: message.payload) else {
            // Nobody could make anything of it, however often it came.
            logger.error("a message of the outbox is no price event", metadata: ["message": "\(message.id)"])
            return .refused("not the event of a price")
        }
        do throws(RedisError) {
            _ = try await redis.command([
                "XADD", .string(PriceEvent.stream), "MAXLEN", "~", .string(Self.streamLengthMax), "*", "key",
                .string(event.symbol), "id", .integer(event.priceID), "value", .bytes(event.value),
            ])
            return .done
        } catch {
            return error.mayHaveHappened ? .unknown("\(error)") : .failed("\(error)")
        }
    }

    /// A stream cannot be asked by id; that it has an event twice does no harm.
    func lookUp(_ message: RelayMessage, deadline: Instant) async -> LookUpOutcome { .absent }

    // MARK: Settlements

    private static let remove = PostgresStatement("select outbox_remove($1::bigint[])")
    private static let handBack = PostgresStatement(
        """
        select count(*) from outbox_hand_back(
            $1, $2::bigint[], $3::integer[], $4::bigint[], array_fill(null::bigint, array[$5::integer])
        )
        """
    )

    func settle(_ settlements: [RelaySettlement], owner: String) async -> SettleOutcome {
        let deadline = Reactor.now + Self.timeout
        let ended = settlements.filter(\.isEnd)
        let others = settlements.filter { !$0.isEnd }
        do throws(PostgresError) {
            if !ended.isEmpty {
                _ = try await database.query(
                    Self.remove,
                    [.array(ended.lazy.map { String($0.message.id) })],
                    deadline: deadline
                )
            }
            if !others.isEmpty {
                _ = try await database.query(
                    Self.handBack,
                    [
                        .text(owner), .array(others.lazy.map { String($0.message.id) }),
                        .array(others.lazy.map { String($0.message.attempts) }),
                        .array(others.lazy.map { String($0.delay.wholeMilliseconds) }),
                        .int64(Int64(others.count)),
                    ],
                    deadline: deadline
                )
            }
            return .stored
        } catch {
            logger.debug("price events were not settled", metadata: ["reason": "\(error)"])
            return .failed
        }
    }
}

extension RelaySettlement {
    /// Whether there is no more to do.
    fileprivate var isEnd: Bool {
        switch verdict {
        case .done, .refused, .expired: true
        case .failed, .unknown, .returned: false
        }
    }
}
