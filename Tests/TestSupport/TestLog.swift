public import Logging
import Synchronization

/// Keeps what is logged, for tests that ask whether something was said, and how often.
public final class TestLog: Sendable {
    /// A line of the log.
    public struct Line: Sendable {
        /// How severe it is.
        public let level: Logger.Level
        /// What happened.
        public let message: String
        /// The details.
        public let metadata: Logger.Metadata
    }

    private let kept = Mutex<[Line]>([])

    /// Begins empty.
    public init() {}

    /// Everything so far, from `info` on.
    public var lines: [Line] { kept.withLock { $0 } }

    /// What was said of at least this severity.
    public func messages(from level: Logger.Level) -> [String] {
        lines.filter { $0.level >= level }.map(\.message)
    }

    /// Writes here.
    public var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: TestLog
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = Line(
                level: event.level,
                message: event.message.description,
                metadata: metadata.merging(event.metadata ?? [:]) { $1 }
            )
            log.kept.withLock { $0.append(line) }
        }
    }
}
