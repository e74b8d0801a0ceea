internal import Postgres
internal import Reactor

/// A session that holds what another one waits for, as far as the server tells us of it.
public struct LockHolder: Hashable, Sendable, CustomStringConvertible {
    /// The number that `pg_terminate_backend()` takes.
    public let process: Int64
    /// The role that it acts as.
    let role: String
    /// What it calls itself.
    public let application: String
    /// Such as `idle in transaction`; nil if we may not know.
    public let state: String?

    /// `process 4711 of role tickloop (psql, idle in transaction)`.
    public var description: String {
        let known = [application, state ?? ""].filter { !$0.isEmpty }.joined(separator: ", ")
        return "process \(process) of role \(role)" + (known.isEmpty ? "" : " (\(known))")
    }
}

/// Looks once a second whether a session waits for others, and tells who they are.
///
/// Without it, a writer that forgot to commit makes an import stand still, for ever and without a word.
@ReactorActor
final class LockWatch {
    private static let interval = Duration.seconds(1)
    /// A look that takes longer is worth nothing.
    private static let lookTime = Duration.seconds(5)

    private let process: Int64
    private let configuration: PostgresConfiguration
    private let report: ([LockHolder]) -> Void
    private var timer: Timer?
    private var observer: PostgresSession?
    private var told: [LockHolder] = []
    private var isLooking = false

    /// - Parameters:
    ///   - process: What `pg_backend_pid()` says in the session that is looked after.
    ///   - configuration: How to reach the server; connected to at the first look.
    ///   - report: Called with those that it waits for, when they are others than at the last call.
    init(of process: Int64, by configuration: PostgresConfiguration, report: @escaping ([LockHolder]) -> Void) {
        self.process = process
        self.configuration = configuration
        self.report = report
        let timer = Timer { [weak self] in self?.look() }
        timer.scheduleRepeating(every: Self.interval)
        self.timer = timer
    }

    func stop() {
        timer = nil
        observer?.close()
        observer = nil
    }

    private func look() {
        guard !isLooking else { return }
        isLooking = true
        Reactor.spawn { [self] in
            let holders = await holders()
            isLooking = false
            guard timer != nil else { return stop() }
            guard !holders.isEmpty, holders != told else { return }
            told = holders
            report(holders)
        }
    }

    /// Nobody, if the server does not tell: to know is a help, no more.
    private func holders() async -> [LockHolder] {
        if observer == nil { observer = try? await PostgresSession.open(configuration) }
        let deadline = Reactor.now + Self.lookTime
        guard let rows = try? await observer?.query(Self.sql, [.int64(process)], deadline: deadline) else {
            observer = nil
            return []
        }
        return (0..<rows.count).compactMap { row in
            guard let process = rows.int64(row, 0) else { return nil }
            return LockHolder(
                process: process,
                role: rows.text(row, 1) ?? "",
                application: rows.text(row, 2) ?? "",
                state: rows.text(row, 3)
            )
        }
    }

    private static let sql = """
        select pid, usename, application_name, state
        from pg_stat_activity
        where pid = any (pg_blocking_pids($1::bigint::integer))
        order by pid
        """
}
