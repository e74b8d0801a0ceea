import Reactor

/// What of PostgreSQL's lines is news for a person who watches `up`.
///
/// A server that starts, recovers or shuts down says so in a dozen lines, and once more to everybody who asks it
/// meanwhile: hundreds, as all of our processes ask. `up` itself says that it ended, starts again and is ready, and the
/// services say that they have lost it; so of a recovery one line is left, and of what repeats itself one a minute.
struct PostgresLines {
    /// How different lines are remembered for as ones that were said: no server has more to say at a time.
    private static let mostRemembered = 64

    /// Parts of lines that say what `up` says already, or that are answers to somebody who asked too early.
    private static let known = [
        "starting PostgreSQL", "listening on", "database system was shut down at", "database system is ready to accept",
        "database system was interrupted", "redo starts at", "redo done at", "redo is not required",
        "invalid record length at", "consistent recovery state reached", "Consistent recovery state has not been yet",
        "checkpoint starting: ", "checkpoint complete: ", "syncing data directory", "shutting down",
        "database system is shut down", "aborting any active transactions", "background worker \"logical replication",
        "the database system is starting up", "the database system is shutting down",
        "the database system is not yet accepting connections", "the database system is in recovery mode",
        "terminating connection due to administrator command", "terminating connection due to unexpected postmaster",
        "could not send data to client: Broken pipe", "could not receive data from client: Connection reset by peer",
        "connection to client lost",
    ]

    private var reminders: [String: Reminder] = [:]

    /// What is to be said now: nothing, or the line, with how often it was not said.
    mutating func news(in line: String, at now: Instant) -> [String] {
        if Self.known.contains(where: { line.contains($0) }) { return [] }
        if reminders.count >= Self.mostRemembered, reminders[line] == nil { reminders = [:] }
        guard let unsaid = reminders[line, default: Reminder()].isDue(at: now) else { return [] }
        return [unsaid == 0 ? line : "\(line) (and \(unsaid) times before)"]
    }
}
