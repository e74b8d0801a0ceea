internal import CPostgres
internal import Reactor

/// One connection of libpq; with `PostgresResult`, the only code that calls the library.
///
/// Only functions that never wait are called. What that rules out: `PQconnectdb`, `PQexec`, `PQprepare`, `PQcancel`,
/// and `PQgetResult` while `PQisBusy`.
@ReactorActor
@safe final class Libpq {
    /// What connecting needs next.
    enum ConnectStep: Equatable {
        case wait(for: Readiness)
        case connected
        case failed
    }

    /// What came of writing the output buffer.
    enum FlushOutcome: Equatable {
        case done
        /// The socket is full; flush again when it is ready.
        case pending
        case failed
    }

    /// One answer of `PQgetResult`.
    enum Reply {
        case success(PostgresResult)
        case failure(PostgresServerError)
        /// Null: the end of the results of one statement.
        case end
        case synchronized
        case aborted
        /// The server waits for `COPY` data.
        case copyIn
        /// The connection is gone, or the server does what nobody here asks for, such as `COPY … TO STDOUT`.
        case unusable
    }

    /// libpq copies parameters before it returns, so one block serves every connection.
    private static let parameterBlock = ParameterBlock()

    private let connection: OpaquePointer

    /// Whether a pooler was found between us and the server, so that a transaction may be in any session.
    var isBehindPooler = false

    /// Starts to connect; `connectStep` goes on. Nil only when memory is short.
    init?(keywords: [String: String]) {
        let connectionString = keywords.map { "\($0)='\(Self.escaped($1))'" }.joined(separator: " ")
        guard let connection = unsafe PQconnectStart(connectionString) else { return nil }
        unsafe self.connection = connection
        unsafe cpostgres_silence(connection)
        // Only so do its words for a refusal have the SQLSTATE in them.
        unsafe PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
    }

    // Says goodbye to the server as far as the socket takes it at once, and closes.
    isolated deinit { unsafe PQfinish(connection) }

    private static func escaped(_ value: String) -> String {
        value.reduce(into: "") { text, character in
            if character == "'" || character == "\\" { text.append("\\") }
            text.append(character)
        }
    }

    // MARK: Connecting

    /// Goes on with connecting, when the socket is ready for what the last step named; at first, to be written.
    ///
    /// Afterwards ``descriptor`` may be another one: libpq goes from address to address and from TLS to none.
    func connectStep() -> ConnectStep {
        switch unsafe PQconnectPoll(connection) {
        case PGRES_POLLING_READING: .wait(for: .read)
        case PGRES_POLLING_WRITING: .wait(for: .write)
        case PGRES_POLLING_OK: unsafe PQsetnonblocking(connection, 1) == 0 ? .connected : .failed
        default: .failed
        }
    }

    /// The socket; nil before there is one.
    var descriptor: CInt? {
        let descriptor = unsafe PQsocket(connection)
        return descriptor >= 0 ? descriptor : nil
    }

    /// Why connecting failed, in libpq's words.
    var connectError: PostgresConnectError {
        PostgresConnectError(libpq: unsafe String(cString: PQerrorMessage(connection)))
    }

    /// Whether the connection has not been found broken yet.
    var isAlive: Bool { unsafe PQstatus(connection) == CONNECTION_OK }

    /// Whether no transaction block is open.
    var isOutsideTransaction: Bool { unsafe PQtransactionStatus(connection) == PQTRANS_IDLE }

    /// The number of the server process at the other end.
    var serverProcess: CInt { unsafe PQbackendPID(connection) }

    // MARK: Sending; false means that the connection is of no more use

    func enterPipelineMode() -> Bool { unsafe PQenterPipelineMode(connection) == 1 }

    func exitPipelineMode() -> Bool { unsafe PQexitPipelineMode(connection) == 1 }

    func prepare(_ name: String, _ sql: String) -> Bool {
        unsafe PQsendPrepare(connection, name, sql, 0, nil) == 1
    }

    func execute(prepared name: String, _ parameters: [PostgresParameter]) -> Bool {
        unsafe Self.parameterBlock.withParameters(parameters) { values, lengths, formats in
            unsafe PQsendQueryPrepared(connection, name, CInt(parameters.count), values, lengths, formats, 0) == 1
        }
    }

    func execute(_ sql: String, _ parameters: [PostgresParameter]) -> Bool {
        unsafe Self.parameterBlock.withParameters(parameters) { values, lengths, formats in
            unsafe PQsendQueryParams(connection, sql, CInt(parameters.count), nil, values, lengths, formats, 0) == 1
        }
    }

    /// Ends a segment of the pipeline. libpq 15 flushes here; `PQsendPipelineSync`, which does not, came with 17.
    func sync() -> Bool { unsafe PQpipelineSync(connection) == 1 }

    /// Sends one or several statements by the simple protocol, outside pipeline mode.
    func send(_ sql: String) -> Bool { unsafe PQsendQuery(connection, sql) == 1 }

    /// Appends `COPY` data to the output buffer, which grows without end: wait until ``flush()`` is done in between.
    func putCopy(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBytes { buffer in
            let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            return unsafe PQputCopyData(connection, start, CInt(buffer.count)) == 1
        }
    }

    /// Ends `COPY` data; with a `reason`, the server undoes the statement and answers an error that quotes it.
    func putCopyEnd(failing reason: String?) -> Bool {
        guard let reason else { return unsafe PQputCopyEnd(connection, nil) == 1 }
        return unsafe PQputCopyEnd(connection, reason) == 1
    }

    func flush() -> FlushOutcome {
        switch unsafe PQflush(connection) {
        case 0: .done
        case 1: .pending
        default: .failed
        }
    }

    // MARK: Receiving

    /// Reads what the socket has; false when the connection is gone.
    func consumeInput() -> Bool { unsafe PQconsumeInput(connection) == 1 }

    /// Whether the next reply has not arrived in full.
    var isBusy: Bool { unsafe PQisBusy(connection) == 1 }

    /// The next reply. To be asked for only while not ``isBusy``, or it would wait.
    func nextReply() -> Reply {
        guard let result = unsafe PQgetResult(connection) else { return .end }
        switch unsafe PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
            return .success(unsafe PostgresResult(owning: result))
        case PGRES_FATAL_ERROR:
            defer { unsafe PQclear(result) }
            // An error without a code is libpq's own: the connection broke.
            return unsafe PostgresServerError(result).map { .failure($0) } ?? .unusable
        case PGRES_PIPELINE_SYNC:
            unsafe PQclear(result)
            return .synchronized
        case PGRES_PIPELINE_ABORTED:
            unsafe PQclear(result)
            return .aborted
        case PGRES_COPY_IN:
            unsafe PQclear(result)
            return .copyIn
        default:
            unsafe PQclear(result)
            return .unusable
        }
    }
}

extension PostgresServerError {
    /// Nil if the error does not come from the server.
    fileprivate init?(_ result: OpaquePointer) {
        guard let sqlState = unsafe cpostgres_sqlstate(result) else { return nil }
        let severity = unsafe cpostgres_severity(result).flatMap { unsafe Severity(rawValue: String(cString: $0)) }
        self.init(
            sqlState: SQLState(unsafe String(cString: sqlState)),
            severity: severity ?? .error,
            constraint: unsafe cpostgres_constraint(result).map { unsafe String(cString: $0) },
            message: unsafe cpostgres_message(result).map { unsafe String(cString: $0) } ?? ""
        )
    }

    /// Whether the server closes the connection after it.
    var endsConnection: Bool { severity != .error }
}
