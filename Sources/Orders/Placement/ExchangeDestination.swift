internal import Basics
internal import JSONWire
internal import Logging
internal import Outbox
internal import Postgres
internal import Reactor

/// The exchange, as the relay sees it: messages are orders, and what became of them is events.
@ReactorActor
final class ExchangeDestination: RelayDestination {
    /// How long storing outcomes may take.
    private static let settleTimeout = Duration.seconds(10)
    private static let payloadLimits = JSONLimits(bytes: 64 * 1024)

    let name = "exchange"
    let exchange: ExchangeClient
    /// Orders that were placed though they had ended in another way.
    private(set) var alarms = 0
    /// Called when outcomes were stored.
    var onSettled: @ReactorActor () -> Void = {}
    private let database: PostgresPool
    private let logger: Logger
    private var failures = Reminder()

    init(_ exchange: ExchangeClient, database: PostgresPool, logger: Logger) {
        self.exchange = exchange
        self.database = database
        self.logger = logger
    }

    func prepare(_ message: inout RelayMessage, at moment: DatabaseMoment) {
        guard let text = Self.members(message)?["expires_at"]?.string, let expiry = Timestamp(text) else { return }
        message.sendUntil = moment.instant(of: expiry.unixTime)
    }

    func send(_ message: RelayMessage, deadline: Instant) async -> SendOutcome {
        guard let members = Self.members(message) else { return .failed("the message cannot be read") }
        // Until when it may be sent is our own affair.
        let order = JSONValue.object(JSONObject(members.members.filter { $0.name != "expires_at" }))
        return await exchange.place(message.key, order: order.encoded, deadline: deadline)
    }

    func lookUp(_ message: RelayMessage, deadline: Instant) async -> LookUpOutcome {
        await exchange.lookUp(message.key)
    }

    private static func members(_ message: RelayMessage) -> JSONObject? {
        (try? JSONValue(parsing: message.payload, limits: payloadLimits))?.object
    }

    private static let settleStatement = PostgresStatement(
        """
        select settle_placements(
            $1, $2::bigint[], $3::uuid[], $4::text[], $5::integer[], $6::bigint[], $7::bigint[], $8::text[]
        )
        """
    )

    func settle(_ settlements: [RelaySettlement], owner: String) async -> SettleOutcome {
        let now = Reactor.now
        let parameters: [PostgresParameter] = [
            .text(owner),
            .array(settlements.lazy.map { String($0.message.id) }),
            .array(settlements.lazy.map(\.message.key)),
            .array(settlements.lazy.map(\.verdict.word)),
            .array(settlements.lazy.map { String($0.message.attempts) }),
            .array(settlements.lazy.map { String(Self.milliseconds($0.delay)) }),
            .arrayWithNulls(
                settlements.lazy.map { $0.message.uncertainSince.map { String(Self.milliseconds(now - $0)) } }
            ),
            .arrayWithNulls(settlements.lazy.map(\.verdict.text)),
        ]
        do throws(PostgresError) {
            let result = try await database.query(
                Self.settleStatement,
                parameters,
                deadline: now + Self.settleTimeout
            )
            for row in 0..<result.count {
                alarms += 1
                logger.error(
                    "an order that had ended was placed all the same",
                    metadata: ["order": "\(result.text(row, 0) ?? "")"]
                )
            }
            onSettled()
            return .stored
        } catch {
            if let unsaid = failures.isDue(at: Reactor.now) {
                logger.warning(
                    "outcomes at the exchange were not stored",
                    metadata: ["reason": "\(error)", "orders": "\(settlements.count)", "unsaid": "\(unsaid)"]
                )
            }
            switch error {
            // Class 22 is a value that cannot be, class 23 one that a table does not take.
            case .server(let error) where ["22", "23"].contains(error.sqlState.code.prefix(2)): return .refused
            case .unencodable: return .refused
            case .server, .unavailable, .overloaded, .timedOut, .connectionLost: return .failed
            }
        }
    }

    private static func milliseconds(_ duration: Duration) -> Int { max(0, duration.wholeMilliseconds) }
}

extension RelaySettlement.Verdict {
    /// What `settle_placements` calls it.
    fileprivate var word: String {
        switch self {
        case .done: "placed"
        case .refused: "rejected"
        case .expired: "expired"
        case .failed: "failed"
        case .unknown: "unknown"
        case .returned: "returned"
        }
    }

    fileprivate var text: String? {
        switch self {
        case .refused(let text), .failed(let text), .unknown(let text): text
        case .done, .expired, .returned: nil
        }
    }
}
