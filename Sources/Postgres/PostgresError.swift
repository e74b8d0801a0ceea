public import Reactor

/// Why a statement has no result.
///
/// Each case says whether the statement may have taken effect, which is all that a retry cares about.
public enum PostgresError: Error, Equatable, Sendable {
    /// There is no connection and the last attempt to make one failed, or the pool is closed; nothing happened.
    case unavailable
    /// Too many statements wait for a connection already; nothing was sent.
    case overloaded
    /// A text contains a NUL, which PostgreSQL cannot store; nothing was sent.
    case unencodable
    /// The deadline passed. If `wasSent`, the server may still carry the statement out, until its own timeout ends it;
    /// otherwise nothing happened.
    case timedOut(wasSent: Bool)
    /// The connection broke after the statement was sent; it may have taken effect.
    case connectionLost
    /// The server refused the statement, whose effects it has undone.
    case server(PostgresServerError)

    /// Whether the statement may have taken effect all the same.
    public var mayHaveHappened: Bool {
        switch self {
        case .unavailable, .overloaded, .unencodable, .server: false
        case .timedOut(let wasSent): wasSent
        case .connectionLost: true
        }
    }
}

extension PostgresError: CustomStringConvertible {
    /// Safe for a log line and for a metric label: bounded, and free of SQL and data.
    public var description: String {
        switch self {
        case .unavailable: "database unavailable"
        case .overloaded: "too many statements are waiting for the database"
        case .unencodable: "a text contains NUL"
        case .timedOut(wasSent: true): "the database did not answer in time"
        case .timedOut(wasSent: false): "no database connection became free in time"
        case .connectionLost: "database connection lost"
        case .server(let error): error.description
        }
    }
}

/// An error that PostgreSQL reported.
///
/// - SeeAlso: PostgreSQL manual, "Error and Notice Message Fields" and appendix A, "PostgreSQL Error Codes".
public struct PostgresServerError: Error, Equatable, Sendable {
    /// How bad it is. After ``fatal`` and ``panic`` the server closes the connection.
    public enum Severity: String, Sendable {
        case error = "ERROR"
        case fatal = "FATAL"
        case panic = "PANIC"
    }

    /// The five characters of the error code.
    public let sqlState: SQLState
    let severity: Severity
    /// The violated constraint, if the error is about one; a name of the schema, never data.
    public let constraint: String?
    /// The server's text. May quote data: for a debug log at most, and never for a client.
    public let message: String

    /// Makes an error from its fields.
    public init(sqlState: SQLState, severity: Severity = .error, constraint: String? = nil, message: String = "") {
        self.sqlState = sqlState
        self.severity = severity
        self.constraint = constraint
        self.message = message
    }
}

extension PostgresServerError: CustomStringConvertible, CustomDebugStringConvertible {
    /// The code alone, because the server's text may quote data.
    public var description: String { "refused by the database (\(sqlState.code))" }

    /// Everything the server said.
    public var debugDescription: String {
        "\(severity.rawValue) \(sqlState.code): \(message)" + (constraint.map { " [constraint \($0)]" } ?? "")
    }
}

/// An error code of PostgreSQL, such as `23505`.
///
/// - SeeAlso: PostgreSQL manual, appendix A, "PostgreSQL Error Codes".
public struct SQLState: Hashable, Sendable, ExpressibleByStringLiteral {
    /// Five characters, digits and capital letters.
    public let code: String

    /// Takes a code as the server sent it.
    init(_ code: String) { self.code = code }

    /// Takes a code written in the source.
    public init(stringLiteral code: String) { self.code = code }

    /// A UNIQUE or PRIMARY KEY constraint is violated.
    public static let uniqueViolation: SQLState = "23505"
    /// A CHECK constraint is violated.
    static let checkViolation: SQLState = "23514"
    /// This transaction and others waited for each other, and this one was chosen to end it.
    public static let deadlockDetected: SQLState = "40P01"
    /// `statement_timeout` passed, or somebody cancelled the statement.
    public static let queryCanceled: SQLState = "57014"
    /// The table does not exist; perhaps the migrations did not run.
    public static let undefinedTable: SQLState = "42P01"

    /// The password, or the proof of it, is wrong.
    public static let invalidPassword: SQLState = "28P01"
    /// There is no such database.
    public static let undefinedDatabase: SQLState = "3D000"
    /// The server starts, recovers or shuts down, and takes no new sessions.
    static let cannotConnectNow: SQLState = "57P03"

    /// Whether a table, schema, column or function is not there: the migrations did not run, or not all of them, or
    /// the role looks for them elsewhere.
    public var tellsOfMissingSchema: Bool { ["42P01", "3F000", "42703", "42883"].contains(code) }

    /// What an operator does about it.
    public static let schemaAdvice = "run `tickloop migrate`; if it has run, look at the role's search_path"

    /// The prepared statement is not known in this session: `DISCARD ALL`, a pooler's other session, or its
    /// preparation failed.
    static let undefinedStatement: SQLState = "26000"
    /// There is a prepared statement of that name; the names are made from the text, so it is the same one.
    static let duplicateStatement: SQLState = "42P05"
    /// Among others: "cached plan must not change result type", after a column of a prepared statement changed.
    static let featureNotSupported: SQLState = "0A000"
}

/// Why an attempt to connect failed.
public enum PostgresConnectError: Error, Equatable, Sendable {
    /// The server's name has no address.
    case resolution(ResolutionError)
    /// Connecting took longer than it may.
    case timedOut
    /// The server was not reached, or turned us away; then with an SQLSTATE. In libpq's words, which name hosts and
    /// roles: for logs and operators only.
    case refused(SQLState?, String)

    /// No text of libpq is longer in a log line.
    private static let textLimit = 400

    /// Reads libpq's verbose words for a failure: a line for each address that was tried, and lines of more detail.
    init(libpq text: String) {
        var lines = text.split(separator: "\n").filter { !$0.hasPrefix("\t") && !$0.hasPrefix("LOCATION:") }
        var state: SQLState?
        for index in lines.indices {
            // `FATAL:  28P01: password authentication failed`; the first word may be in the server's language.
            guard let gap = lines[index].firstRange(of: ":  ") else { continue }
            let code = lines[index][gap.upperBound...].prefix { $0 != ":" }
            guard code.utf8.count == 5, code.utf8.allSatisfy(\.isDigitOrCapital) else { continue }
            state = SQLState(String(code))
            lines[index].removeSubrange(gap.lowerBound..<code.endIndex)
        }
        self = .refused(state, String(lines.joined(separator: "; ").prefix(Self.textLimit)))
    }

    /// What the server said when it turned us away; nil when it was not the server.
    var sqlState: SQLState? {
        if case .refused(let state, _) = self { state } else { nil }
    }

    /// Whether the server turned us away for a reason that time alone does not heal, such as a wrong password.
    ///
    /// By the class of the SQLSTATE: 57 is a server that starts or shuts down, 53 one that is full.
    public var isLasting: Bool {
        guard let sqlState else { return false }
        return !["57", "53"].contains(sqlState.code.prefix(2))
    }
}

extension UInt8 {
    fileprivate var isDigitOrCapital: Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self)
    }
}

extension PostgresConnectError: CustomStringConvertible, CustomDebugStringConvertible {
    /// Safe for a log line and for a metric label.
    public var description: String {
        switch self {
        case .resolution(let error): error.description
        case .timedOut: "connecting timed out"
        case .refused: "connection refused"
        }
    }

    /// With libpq's words.
    public var debugDescription: String {
        if case .refused(_, let text) = self { text } else { description }
    }
}
