internal import Logging
internal import Postgres
internal import Reactor

/// What has to be done for orders as time passes: expire those that nobody is placing, and forget old keys.
///
/// Several processes may do it at the same time.
@ReactorActor
final class OrderUpkeep {
    /// From one look to the next.
    private static let interval = Duration.seconds(1)
    /// Keys are kept for a day; so often is enough.
    private static let looksPerForgetting = 60
    /// Orders, or keys, of one transaction.
    private static let batch = 500
    /// The most that one statement may take.
    private static let timeout = Duration.seconds(10)

    /// What the tables said last; nil if they did not.
    var backlog: Backlog?
    /// Orders that have expired here.
    private(set) var expiredCount = 0

    let database: PostgresPool
    private let logger: Logger
    private var timer: Timer?
    private var looks = 0
    private var isBusy = false

    /// Begins at once.
    init(_ database: PostgresPool, logger: Logger) {
        self.database = database
        self.logger = logger
        timer = Timer { [unowned self] in look() }
        timer?.scheduleRepeating(every: Self.interval)
    }

    /// Begins nothing new.
    func stop() { timer?.cancel() }

    private func look() {
        guard !isBusy else { return }
        isBusy = true
        Reactor.spawn { [self] in
            do throws(PostgresError) {
                try await expire()
                if looks % Self.looksPerForgetting == 0 { try await forget() }
                looks += 1
            } catch {
                logger.debug("orders were not looked after", metadata: ["reason": "\(error)"])
            }
            isBusy = false
        }
    }

    private static let expireBatch = PostgresStatement(
        "select looked_at, expired, last_expiry, last_id from expire_orders($1, $2, $3)"
    )
    private static let forgetBatch = PostgresStatement("select forget_order_keys($1)")

    private func expire() async throws(PostgresError) {
        var after = (expiry: "-infinity", id: "00000000-0000-0000-0000-000000000000")
        var lookedAt: Int64
        repeat {
            let result = try await database.query(
                Self.expireBatch,
                [.text(after.expiry), .text(after.id), .int64(Int64(Self.batch))],
                deadline: Reactor.now + Self.timeout
            )
            lookedAt = result.int64(0, 0) ?? 0
            expiredCount += Int(result.int64(0, 1) ?? 0)
            if let expiry = result.text(0, 2), let id = result.text(0, 3) { after = (expiry, id) }
        } while lookedAt == Self.batch
    }

    private func forget() async throws(PostgresError) {
        var forgotten: Int64
        repeat {
            let result = try await database.query(
                Self.forgetBatch,
                [.int64(Int64(Self.batch))],
                deadline: Reactor.now + Self.timeout
            )
            forgotten = result.int64(0, 0) ?? 0
        } while forgotten == Self.batch
    }
}
