internal import Basics
internal import JSONWire
internal import Logging
internal import Reactor
internal import Synchronization

/// Where the log lines of a process go: a descriptor, usually standard error.
///
/// Lines are gathered and written at the end of the loop's turn, many with one call. The loop never waits for the
/// reader of a pipe or socket: what it does not take stays in a bounded buffer, lines beyond it are dropped, and how
/// many is said as soon as there is room again. Usable from any thread, before the loop runs and after it.
public final class LogSink: Sendable {
    /// Most bytes that wait for the reader; about ten thousand lines.
    static let bufferLimitBytes = 1 << 20

    /// Longest time that the end of the process waits for the reader.
    private static let patienceAtExit = Duration.milliseconds(500)

    let service: String
    let format: LogFormat

    private struct State: ~Copyable {
        var buffer: LogBuffer
        let descriptor: LogDescriptor
        /// True from the first line of a turn until everything is written: somebody will flush.
        var isFlushDue = false
    }

    private let state: Mutex<State>

    @ReactorActor private var endOfTurn: EndOfTurn?
    /// Exists while the reader is behind.
    @ReactorActor private(set) var roomWatcher: IOWatcher?

    /// Makes a sink.
    ///
    /// - Parameters:
    ///   - service: What every line says it comes from.
    ///   - descriptor: Stays the caller's, and open for as long as the sink lives.
    init(
        service: String,
        format: LogFormat,
        descriptor: CInt,
        bufferLimitBytes: Int = bufferLimitBytes
    ) {
        self.service = service
        self.format = format
        state = Mutex(
            State(buffer: LogBuffer(limitBytes: bufferLimitBytes), descriptor: LogDescriptor(descriptor))
        )
    }

    deinit { _ = writeOut() }

    /// Takes a line; it is written at the end of the turn, or at once when it is `critical`, which may be the last.
    func write(level: Logger.Level, message: String, metadata: Logger.Metadata) {
        let line = line(level, message, metadata)
        let mustSchedule = state.withLock { state in
            state.buffer.append(line)
            defer { state.isFlushDue = true }
            return !state.isFlushDue
        }
        if level == .critical { _ = writeOut() }
        if mustSchedule { Reactor.post { [self] in flushAtEndOfTurn() } }
    }

    private func line(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) -> [UInt8] {
        let time = Timestamp(unixTime: SystemClock.unixTime)
        return LogLine(level: level, time: time, service: service, message: message, metadata: metadata)
            .bytes(as: format)
    }

    // MARK: - Writing

    /// Writes as much as goes without waiting.
    ///
    /// - Returns: The descriptor to wait for, when its reader is behind.
    private func writeOut() -> CInt? {
        state.withLock { state in
            while true {
                if state.buffer.isEmpty, !reportDroppedLines(&state.buffer) {
                    state.isFlushDue = false
                    return nil
                }
                switch state.descriptor.write(state.buffer.unwritten) {
                case .wrote(let count): state.buffer.wrote(count)
                case .full: return state.descriptor.number
                case .broken: state.buffer.discard()
                }
            }
        }
    }

    /// - Returns: false when there is nothing to report.
    private func reportDroppedLines(_ buffer: inout LogBuffer) -> Bool {
        let count = buffer.takeDroppedLines()
        guard count > 0 else { return false }
        buffer.append(line(.warning, "log lines were dropped", ["dropped_lines": .stringConvertible(count)]))
        return !buffer.isEmpty
    }

    @ReactorActor
    private func flushAtEndOfTurn() {
        let endOfTurn = endOfTurn ?? EndOfTurn { [weak self] in self?.flush() }
        self.endOfTurn = endOfTurn
        endOfTurn.schedule()
    }

    @ReactorActor
    private func flush() {
        guard let descriptor = writeOut() else {
            roomWatcher = nil
            return
        }
        if roomWatcher == nil {
            roomWatcher = IOWatcher(descriptor: descriptor, for: .write) { [weak self] _ in self?.flush() }
        }
    }

    /// Writes everything, and gives a slow reader half a second; for the end of the process, which it blocks.
    func flushBeforeExit() {
        let deadline = Instant.now + Self.patienceAtExit
        while writeOut() != nil {
            let isWritable = state.withLock { state in
                state.descriptor.waitUntilWritable(within: deadline - .now)
            }
            guard isWritable else { return }
        }
    }
}
