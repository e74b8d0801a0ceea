internal import Glibc
internal import Logging
internal import Reactor

/// Waits for the signal that ends the service.
///
/// SIGTERM and SIGINT ask for an orderly end, a second one ends the process at once; SIGHUP, which a closing terminal
/// sends, too, never does.
@ReactorActor
final class ShutdownSignals {
    private let asked = Promise<Void, CancellationError>()
    private let logger: Logger
    /// Called for each SIGHUP.
    var onHangup: @ReactorActor () -> Void = {}
    private var watchers: [SignalWatcher] = []

    init(logger: Logger) {
        self.logger = logger
        watchers = [
            SignalWatcher(SIGTERM) { [unowned self] in received(SIGTERM) },
            SignalWatcher(SIGINT) { [unowned self] in received(SIGINT) },
            SignalWatcher(SIGHUP) { [unowned self] in onHangup() },
        ]
    }

    /// Returns after the first signal.
    func wait() async { _ = await asked.result }

    private func received(_ signal: CInt) {
        guard !asked.isSettled else {
            // What a shell reports for a process that the signal ended.
            _exit(128 + signal)
        }
        logger.info("shutting down", metadata: ["signal": "\(signal == SIGTERM ? "SIGTERM" : "SIGINT")"])
        asked.succeed(())
    }
}
