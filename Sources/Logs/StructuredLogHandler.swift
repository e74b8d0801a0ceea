internal import Glibc
public import Logging
internal import Synchronization

/// Gives the events of swift-log to a ``LogSink``.
struct StructuredLogHandler: LogHandler {
    /// The least severe level that is written.
    var logLevel: Logger.Level
    /// Fields of every line.
    var metadata: Logger.Metadata = [:]
    /// Fields that depend on the moment.
    var metadataProvider: Logger.MetadataProvider?

    private let sink: LogSink

    /// Makes a handler of its own for a logger; the sink is shared.
    init(sink: LogSink, level: Logger.Level, metadataProvider: Logger.MetadataProvider? = nil) {
        self.sink = sink
        self.logLevel = level
        self.metadataProvider = metadataProvider
    }

    /// Reads or changes one field of every line.
    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one line. What the call says wins over what the logger says, and that over the provider.
    func log(event: LogEvent) {
        var fields = metadataProvider?.get() ?? [:]
        fields.merge(metadata) { _, new in new }
        if let more = event.metadata { fields.merge(more) { _, new in new } }
        if let error = event.error { fields["error"] = .string(String(describing: error)) }
        sink.write(level: event.level, message: event.message.description, metadata: fields)
    }
}

/// Sends all logging of this process to standard error; to be called once, before the first logger is made.
///
/// What is left in the buffer is written when the process ends by `exit`.
///
/// - Returns: The sink, for a process that ends without `exit`.
@discardableResult
public func bootstrapLogging(service: String, format: LogFormat, level: Logger.Level) -> LogSink {
    let sink = LogSink(service: service, format: format, descriptor: STDERR_FILENO)
    LoggingSystem.bootstrap { _ in StructuredLogHandler(sink: sink, level: level) }
    sinkAtExit.withLock { $0 = sink }
    atexit { sinkAtExit.withLock { $0 }?.flushBeforeExit() }
    return sink
}

/// The sink of ``bootstrapLogging(service:format:level:)``: a C function for `atexit` captures nothing.
private let sinkAtExit = Mutex<LogSink?>(nil)
