internal import Reactor

/// One of a pool's connections, and who has it.
@ReactorActor
final class PoolSlot: Sendable {
    let link: Link
    /// Who has the connection to himself.
    var borrower: PostgresSession?
    /// Whether the borrower is done while something of his is still in flight.
    var isReturning = false

    init(_ link: Link) { self.link = link }

    var isLent: Bool { borrower != nil || isReturning }
}

/// Somebody who waits to have a connection to himself.
@ReactorActor
final class PendingLoan {
    let deadline: Instant
    let promise = Promise<PoolSlot, PostgresError>()

    init(deadline: Instant) { self.deadline = deadline }
}

/// Whoever waits for a pool's connection.
@ReactorActor
enum PoolWaiter {
    case query(PendingQuery)
    case loan(PendingLoan)

    var deadline: Instant {
        switch self {
        case .query(let query): query.deadline
        case .loan(let loan): loan.deadline
        }
    }

    func fail(_ error: PostgresError) {
        switch self {
        case .query(let query): query.finish(.failure(error))
        case .loan(let loan): loan.promise.fail(error)
        }
    }
}
