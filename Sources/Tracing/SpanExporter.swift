internal import HTTPClient
internal import HTTPWire
internal import Logging
internal import Reactor

/// Sends spans to a collector, in batches, one at a time.
///
/// Nobody waits for it. A request that ends a span appends it to a bounded buffer and goes on; batches are written a
/// few spans a turn of the loop, so that no request waits behind a large one; and a collector that is slow or away
/// costs spans, which are counted, and nothing else.
@ReactorActor
final class SpanExporter {
    /// Spans that are written in one turn: about 4 µs each.
    private static let spansPerTurn = 8

    private let configuration: TracingConfiguration
    private let resource: [SpanAttribute]
    private let logger: Logger
    private let client: HTTPClient
    private var buffer: SpanBuffer
    private lazy var flushTimer = Timer { [unowned self] in export() }
    private var isExporting = false
    private var isDraining = false
    private var isClosed = false
    /// Ends the wait before a batch is sent again.
    private var pause: Promise<Void, Never>?
    /// Told when nothing is left, while draining.
    private var drained: Promise<Void, Never>?
    /// What the log was told last, so that it is told changes only.
    private var isFailing = false

    init(_ configuration: TracingConfiguration, resource: [SpanAttribute], logger: Logger) {
        self.configuration = configuration
        self.resource = resource
        self.logger = logger
        buffer = SpanBuffer(limit: configuration.queueSpans, batchLimit: configuration.batchSpans)
        var settings = HTTPClientConfiguration()
        settings.connections = 1
        settings.waitingRequests = 1
        settings.connectTimeout = min(settings.connectTimeout, configuration.timeout)
        // Waiting for a collector's return is done here, where it is bounded by attempts.
        settings.connectWindow = .zero
        settings.responseHeadTimeout = configuration.timeout
        settings.responseLimits.bodyBytes = 64 * 1024
        settings.tls = configuration.tls
        client = HTTPClient(upstream: configuration.collector.endpoint, configuration: settings)
    }

    var counters: TracingCounters { buffer.counters }
    var waitingCount: Int { buffer.count }

    func add(_ span: SpanRecord) {
        buffer.append(span)
        if isClosed {
            buffer.drop()
        } else if buffer.hasFullBatch || isDraining {
            export()
        } else if !isExporting, !flushTimer.isScheduled {
            flushTimer.schedule(after: configuration.flushInterval)
        }
    }

    /// Sends everything, and closes.
    ///
    /// - Parameter limit: How long that may take; a batch that fails meanwhile is not sent again.
    func drain(within limit: Duration) async {
        isDraining = true
        pause?.succeed(())
        export()
        if isExporting {
            let drained = Promise<Void, Never>()
            self.drained = drained
            let timer = Timer { drained.succeed(()) }
            timer.schedule(after: limit)
            _ = await drained.result
            timer.cancel()
        }
        isClosed = true
        flushTimer.cancel()
        if !buffer.isEmpty { logger.warning("spans dropped at the end", metadata: ["spans": "\(buffer.count)"]) }
        buffer.drop()
        client.close()
    }

    // MARK: Exporting

    private func export() {
        guard !isExporting, !buffer.isEmpty, !isClosed else { return }
        isExporting = true
        flushTimer.cancel()
        Reactor.spawn { [self] in
            repeat { await exportBatch() } while !isClosed && (buffer.hasFullBatch || isDraining && !buffer.isEmpty)
            isExporting = false
            if !isClosed, !buffer.isEmpty { flushTimer.schedule(after: configuration.flushInterval) }
            drained?.succeed(())
        }
    }

    private func exportBatch() async {
        let batch = buffer.takeBatch()
        let request = await request(for: batch)
        var backoff = Backoff(first: configuration.retryDelayFirst, cap: configuration.retryDelayCap)
        var attempt = 1
        while true {
            switch await send(request) {
            case .accepted(let rejected, let reason):
                let rejected = min(rejected, batch.count)
                buffer.noteOutcome(exported: batch.count - rejected, failed: rejected)
                return rejected == 0 ? succeeded() : failed("rejected \(rejected) spans: \(reason)")
            case .refused(let reason):
                buffer.noteOutcome(failed: batch.count)
                return failed(reason)
            case .retry(let reason, let after):
                failed(reason)
                guard attempt < configuration.attemptLimit, !isDraining else {
                    return buffer.noteOutcome(failed: batch.count)
                }
                attempt += 1
                buffer.willRetry()
                await wait(min(max(backoff.next(), after ?? .zero), configuration.retryDelayCap))
            }
        }
    }

    /// Writes a batch, a few spans a turn and none in the turn that asks.
    private func request(for batch: [SpanRecord]) async -> HTTPClientRequest {
        var encoder = SpanEncoder(resource: resource)
        for first in stride(from: 0, to: batch.count, by: Self.spansPerTurn) {
            await Reactor.yield()
            for span in batch[first..<min(first + Self.spansPerTurn, batch.count)] { encoder.append(span) }
        }
        return HTTPClientRequest(
            .post,
            target: configuration.collector.target,
            authority: configuration.collector.authority,
            fields: ["Content-Type": "application/json", "User-Agent": "tickloop"],
            body: encoder.finish(),
            // A span that comes twice is known by its id.
            isIdempotent: true
        )
    }

    private func send(_ request: HTTPClientRequest) async -> ExportVerdict {
        do {
            let response = try await client.send(request, deadline: Reactor.now + configuration.timeout)
            let retryAfter = response.fields["retry-after"]
            return ExportVerdict(status: response.status.code, retryAfter: retryAfter, body: response.body)
        } catch {
            return ExportVerdict(error)
        }
    }

    private func wait(_ delay: Duration) async {
        let pause = Promise<Void, Never>()
        self.pause = pause
        let timer = Timer { pause.succeed(()) }
        timer.schedule(after: delay)
        _ = await pause.result
        timer.cancel()
        self.pause = nil
    }

    // MARK: The log

    private func failed(_ reason: String) {
        guard !isFailing else { return }
        isFailing = true
        let collector = "\(configuration.collector.endpoint)"
        logger.warning("spans not exported", metadata: ["reason": "\(reason)", "collector": "\(collector)"])
    }

    private func succeeded() {
        guard isFailing else { return }
        isFailing = false
        let counters = buffer.counters
        logger.notice(
            "spans exported again",
            metadata: ["failed": "\(counters.failed)", "dropped": "\(counters.dropped)"]
        )
    }
}
